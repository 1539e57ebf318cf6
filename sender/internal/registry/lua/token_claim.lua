-- token_claim: finds a webhook's access token, or has the caller ask for one.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] the record that the caller has and wants another for, or "", ARGV[12] who calls, ARGV[13] ms in
--   which it will have asked
-- Returns the record and how many ms it is good for; or "ask" where the caller is to ask for one, or "wait" where another
--   does that already.
--
-- Safe to repeat: who is to ask stays who is to ask, until it says what came of it (token_store) or its time is over.

local lane, spent, process, lease = unpack(ARGV, 10, 13)
local token, lock = base .. 'token:' .. lane, base .. 'tokenlock:' .. lane
local there = call('GET', token)
if there and there ~= spent then
  local left = call('PTTL', token)
  if left > 0 then return { there, left } end
end
local holder = call('GET', lock)
if holder and holder ~= process then return 'wait' end
call('SET', lock, process, 'PX', lease)
return 'ask'

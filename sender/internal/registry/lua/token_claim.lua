-- token_claim: returns the access token of a webhook, or chooses who requests a new one.
--
-- KEYS[1] the shard's tag
-- ARGV[10] lane, ARGV[11] the token's record that the caller can't use any more ("" for none), ARGV[12] the calling process, ARGV[13] ms within which
--   a process has requested a token
-- Returns the record of the token and for how many ms it is good; or "ask" where the caller is to request a token, or "wait" where another
--   process is requesting one.
--
-- Safe to repeat: the process that is to request the token is told so again, until it says by token_store.lua what became of it or its time is over.

local lane, spent, process, lease = unpack(ARGV, 10, 13)
local token, lock = base .. 'token:' .. lane, base .. 'tokenlock:' .. lane
local record = call('GET', token)
if record and record ~= spent then
  local left = call('PTTL', token)
  if left > 0 then return { record, left } end
end
local holder = call('GET', lock)
if holder and holder ~= process then return 'wait' end
call('SET', lock, process, 'PX', lease)
return 'ask'

-- register: adds a webhook to its account.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] account, ARGV[12] most webhooks of an account, ARGV[13] what is shown of it, ARGV[14] what an
--   attempt needs, ARGV[15] rate, ARGV[16] cap, ARGV[17] "1" where it is ordered, ARGV[18] status, ARGV[19] idempotency key or "", ARGV[20] what was
--   asked for, sealed, ARGV[21] ms that the key is remembered, ARGV[22] how it stands in topics (see lib.lua), ARGV[23…] subscriptions
-- Returns ms of its creation; or, where the key was used before, the lane of then and what was asked for then; or "limit"
--   where the account has too many, "taken" where the lane exists, or "ending" where the account is being deleted.
--
-- Safe to repeat: lanes are random, so one that has these very settings was made by this call, whose answer was lost.

local lane, account, most, shown, meta, rate, cap, ordered, status, idempotency, asked, remember, member = unpack(ARGV, 10, 22)
most = tonumber(most)
local hooks, conf = base .. 'hooks:' .. account, base .. 'conf:' .. lane
local there = call('HMGET', conf, 'a', 'meta', 'c')
if there[1] == account and there[2] == meta then return tonumber(there[3]) end
if there[1] then return 'taken' end
if not open_account(account) then return 'ending' end
local made = base .. 'made:' .. account .. ':' .. idempotency
if idempotency ~= '' then
  local first = call('HMGET', made, 'l', 'q')
  if first[1] then return first end
end
if call('ZCARD', hooks) >= most then return 'limit' end
-- No two webhooks of an account have one time, so that the list keeps their order.
local last = call('ZRANGE', hooks, -1, -1, 'WITHSCORES')
local created = math.max(now, (tonumber(last[2]) or 0) + 1)
call('HSET', conf, 'st', status, 'a', account, 'c', int(created), 'v', 1, 'pub', shown, 'meta', meta, 'rate', rate, 'cap', cap)
if ordered == '1' then call('HSET', conf, 'ord', '1') end
subscriptions_changed()
for i = 23, #ARGV do call('SADD', base .. 'topic:' .. account .. ':' .. ARGV[i], member) end
if idempotency ~= '' then
  call('HSET', conf, 'k', idempotency)
  call('HSET', made, 'l', lane, 'q', asked)
  call('PEXPIRE', made, remember)
end
call('ZADD', hooks, created, lane)
return created

-- register: adds a webhook to an account.
--
-- KEYS[1] the shard's tag
-- ARGV[10] lane, ARGV[11] account, ARGV[12] how many webhooks an account may have, ARGV[13] the settings that the API shows, encoded, ARGV[14] the
--   settings that an attempt needs, encoded, ARGV[15] rate limit, ARGV[16] attempts in flight at most, ARGV[17] "1" where the webhook is ordered,
--   ARGV[18] status, ARGV[19] Idempotency-Key of the request or "", ARGV[20] the request, sealed, to be compared with a later one that has the same
--   Idempotency-Key, ARGV[21] ms for which that is remembered, ARGV[22] the webhook's member in the sets of its topics (see topic: in lib.lua),
--   ARGV[23…] its subscriptions
-- Returns the time at which the webhook was created (ms); or, where the Idempotency-Key was used before, the lane that was made then and the
--   request, sealed; or "limit" where the account has as many webhooks as it may, "taken" where the lane exists, or "ending" where the account
--   is being deleted.
--
-- Safe to repeat: lanes have random names, so a lane with exactly these settings was made by this call, whose answer was lost.

local lane, account, most, shown, meta, rate, cap, ordered, status, idempotency, request, remember, member = unpack(ARGV, 10, 22)
most = tonumber(most)
local hooks, conf = base .. 'hooks:' .. account, base .. 'conf:' .. lane
local stored = call('HMGET', conf, 'a', 'meta', 'c')
if stored[1] == account and stored[2] == meta then return tonumber(stored[3]) end
if stored[1] then return 'taken' end
if not open_account(account) then return 'ending' end
local made = base .. 'made:' .. account .. ':' .. idempotency
if idempotency ~= '' then
  local used_before = call('HMGET', made, 'l', 'q')
  if used_before[1] then return used_before end
end
if call('ZCARD', hooks) >= most then return 'limit' end
-- No two webhooks of an account have the same time, so that the order of the list does not change.
local newest = call('ZRANGE', hooks, -1, -1, 'WITHSCORES')
local created = math.max(now, (tonumber(newest[2]) or 0) + 1)
call('HSET', conf, 'st', status, 'a', account, 'c', int(created), 'v', 1, 'pub', shown, 'meta', meta, 'rate', rate, 'cap', cap)
if ordered == '1' then call('HSET', conf, 'ord', '1') end
subscriptions_changed()
for i = 23, #ARGV do call('SADD', base .. 'topic:' .. account .. ':' .. ARGV[i], member) end
if idempotency ~= '' then
  call('HSET', conf, 'k', idempotency)
  call('HSET', made, 'l', lane, 'q', request)
  call('PEXPIRE', made, remember)
end
call('ZADD', hooks, created, lane)
return created

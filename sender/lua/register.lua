-- register: adds a webhook to its account.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] account, ARGV[12] most webhooks of an account, ARGV[13] what is shown of it, ARGV[14] what an
--   attempt needs, ARGV[15] rate, ARGV[16] cap, ARGV[17…] subscriptions
-- Returns ms of its creation, or "limit" where the account has too many, or "taken" where the lane exists.
--
-- Safe to repeat: lanes are random, so one that has these very settings was made by this call, whose answer was lost.

local lane, account = ARGV[10], ARGV[11]
local hooks, conf = base .. 'hooks:' .. account, base .. 'conf:' .. lane
local there = call('HMGET', conf, 'a', 'meta', 'c')
if there[1] == account and there[2] == ARGV[14] then return tonumber(there[3]) end
if there[1] then return 'taken' end
if call('ZCARD', hooks) >= tonumber(ARGV[12]) then return 'limit' end
-- No two webhooks of an account have one time, so that the list keeps their order.
local last = call('ZRANGE', hooks, -1, -1, 'WITHSCORES')
local created = math.max(now, (tonumber(last[2]) or 0) + 1)
call('HSET', conf, 'st', 'active', 'a', account, 'c', int(created), 'v', 1, 'pub', ARGV[13], 'meta', ARGV[14], 'rate', ARGV[15], 'cap', ARGV[16])
for i = 17, #ARGV do call('SADD', base .. 'topic:' .. account .. ':' .. ARGV[i], lane) end
call('SADD', base .. 'accounts', account)
call('ZADD', hooks, created, lane)
return created

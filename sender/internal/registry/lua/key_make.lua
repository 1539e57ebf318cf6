-- key_make: keeps an API key.
--
-- KEYS[1] the shard
-- ARGV[10] ID, ARGV[11] hash of the key, ARGV[12] its record, ARGV[13] account, ARGV[14] ID of the key that makes it, ARGV[15] ms
--   at which it ends or "", ARGV[16] most keys of an account
-- Returns ms of its creation, or "limit" where the account has too many, or "ended" where the key that makes it is gone.
--
-- Safe to repeat: a second call finds the ID.

local id, sum, record, account, maker, ends, most = unpack(ARGV, 10, 16)
ends, most = tonumber(ends), tonumber(most)
local records, sums, order = base .. 'apikeys', base .. 'apikeysums', base .. 'apikeysof:' .. account
local made = call('ZSCORE', base .. 'apikeysall', id)
if made then return tonumber(made) end
if maker:sub(1, 4) == 'key_' and call('HEXISTS', records, maker) == 0 then return 'ended' end
if call('ZCARD', order) >= most then return 'limit' end
-- No two have one time, so that lists keep their order.
local last = call('ZRANGE', base .. 'apikeysall', -1, -1, 'WITHSCORES')
local created = math.max(now, (tonumber(last[2]) or 0) + 1)
call('HSET', records, id, record)
call('HSET', sums, sum, id)
call('ZADD', base .. 'apikeysall', created, id)
call('ZADD', order, created, id)
call('SADD', base .. 'apikeysby:' .. maker, id)
if ends then call('ZADD', base .. 'apikeysend', ends, id) end
return created

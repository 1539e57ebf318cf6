-- key_make: stores a new API key.
--
-- KEYS[1] the shard's tag
-- ARGV[10] ID of the key, ARGV[11] hash of the key, ARGV[12] its record, encoded, ARGV[13] account, ARGV[14] ID of the key with which it is made
--   ("key_" and more; another text stands for a configured key), ARGV[15] when it ends (ms; "" for never), ARGV[16] how many keys an account may have
-- Returns the time at which it was made (ms), "limit" where the account has as many keys as it may, or "ended" where the key with which it is
--   made has been deleted.
--
-- Safe to repeat: a second call finds the ID.

local id, sum, record, account, maker, ends, most = unpack(ARGV, 10, 16)
ends, most = tonumber(ends), tonumber(most)
local records, sums, of_account = base .. 'apikeys', base .. 'apikeysums', base .. 'apikeysof:' .. account
local made_before = call('ZSCORE', base .. 'apikeysall', id)
if made_before then return tonumber(made_before) end
if maker:sub(1, 4) == 'key_' and call('HEXISTS', records, maker) == 0 then return 'ended' end
if call('ZCARD', of_account) >= most then return 'limit' end
-- No two keys have the same time, so that the order of lists does not change.
local newest = call('ZRANGE', base .. 'apikeysall', -1, -1, 'WITHSCORES')
local created = math.max(now, (tonumber(newest[2]) or 0) + 1)
call('HSET', records, id, record)
call('HSET', sums, sum, id)
call('ZADD', base .. 'apikeysall', created, id)
call('ZADD', of_account, created, id)
call('SADD', base .. 'apikeysby:' .. maker, id)
if ends then call('ZADD', base .. 'apikeysend', ends, id) end
return created

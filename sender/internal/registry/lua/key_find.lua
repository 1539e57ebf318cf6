-- key_find: finds an API key by its hash, and notes that it is used.
--
-- KEYS[1] the shard
-- ARGV[10] hash of the key
-- Returns the ID and the record, or nothing.
--
-- Safe to repeat: the hour of its use is all that it writes.

local sum = ARGV[10]
local id = call('HGET', base .. 'apikeysums', sum)
if not id then return {} end
local ends = call('ZSCORE', base .. 'apikeysend', id)
if ends and tonumber(ends) <= now then return {} end
local hour = int(math.floor(now / 3600000))
if call('HGET', base .. 'apikeysused', id) ~= hour then call('HSET', base .. 'apikeysused', id, hour) end
return {id, call('HGET', base .. 'apikeys', id)}

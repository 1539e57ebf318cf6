-- key_find: finds an API key by its hash, and notes the hour in which it was used.
--
-- KEYS[1] the shard's tag
-- ARGV[10] hash of the key
-- Returns the ID and the record of the key, or an empty list where there is no such key or its time is over.
--
-- Safe to repeat: it writes nothing but the hour, once an hour.

local sum = ARGV[10]
local id = call('HGET', base .. 'apikeysums', sum)
if not id then return {} end
local ends = call('ZSCORE', base .. 'apikeysend', id)
if ends and tonumber(ends) <= now then return {} end
local hour = int(math.floor(now / 3600000))
if call('HGET', base .. 'apikeysused', id) ~= hour then call('HSET', base .. 'apikeysused', id, hour) end
return {id, call('HGET', base .. 'apikeys', id)}

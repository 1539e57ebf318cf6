-- registration_reseal: stores, sealed with another key, the request that an Idempotency-Key was first used for, if it is still the one that
-- the caller read.
--
-- KEYS[1] the shard's tag
-- ARGV[10] account, ARGV[11] Idempotency-Key, ARGV[12] the sealed request that the caller read, ARGV[13] the request sealed anew
-- Returns 1, or 0 where another one is stored by now.
--
-- Safe to repeat: a second call finds what the first one stored, and changes nothing.

local account, key, before, after = unpack(ARGV, 10, 13)
local made = base .. 'made:' .. account .. ':' .. key
if call('HGET', made, 'q') ~= before then return 0 end
call('HSET', made, 'q', after)
return 1

-- registration_reseal: seals anew what an idempotency key was first used to ask for, where it is still as it was read.
--
-- KEYS[1] the shard
-- ARGV[10] account, ARGV[11] idempotency key, ARGV[12] what was read, ARGV[13] what it is from now on
-- Returns 1 where it was.
--
-- Safe to repeat: a second call finds what the first wrote.

local account, key, before, after = unpack(ARGV, 10, 13)
local made = base .. 'made:' .. account .. ':' .. key
if call('HGET', made, 'q') ~= before then return 0 end
call('HSET', made, 'q', after)
return 1

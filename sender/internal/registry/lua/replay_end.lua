-- replay_end: ends a replay that still runs.
--
-- KEYS[1] the shard
-- ARGV[10] its ID, ARGV[11] the state that it ends in, ARGV[12] ms for which it can still be looked at
-- Returns the state in which it is now, or nothing where it is gone. Who ended it first has decided.
--
-- Safe to repeat: what has ended stays as it is.

local id, ends_as, kept = unpack(ARGV, 10, 12)
local key = base .. 'replay:' .. id
local state = call('HGET', key, 'state')
if state ~= 'running' then return state end
call('HSET', key, 'state', ends_as)
call('PEXPIRE', key, kept)
call('DEL', key .. ':left-out')
call('SREM', base .. 'chores', 'replay:' .. id)
return ends_as

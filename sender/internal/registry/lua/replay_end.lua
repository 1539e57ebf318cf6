-- replay_end: ends a replay that still runs.
--
-- KEYS[1] the shard
-- ARGV[10] its ID, ARGV[11] the state that it ends in, ARGV[12] ms for which it can still be looked at
-- Returns the state in which it is now, or nothing where it is gone. Who ended it first has decided.
--
-- Safe to repeat: what has ended stays as it is.

local key = base .. 'replay:' .. ARGV[10]
local state = call('HGET', key, 'state')
if state ~= 'running' then return state end
call('HSET', key, 'state', ARGV[11])
call('PEXPIRE', key, ARGV[12])
call('DEL', key .. ':left-out')
call('SREM', base .. 'chores', 'replay:' .. ARGV[10])
return ARGV[11]

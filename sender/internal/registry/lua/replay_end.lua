-- replay_end: ends a replay, if it is still running.
--
-- KEYS[1] the shard's tag
-- ARGV[10] ID of the replay, ARGV[11] the state in which it ends, ARGV[12] ms for which its record is kept from now on
-- Returns the state of the replay after the call, or nothing where it has no record any more. Where several calls end it, the first one decides.
--
-- Safe to repeat: a replay that has ended stays as it is.

local id, end_state, kept = unpack(ARGV, 10, 12)
local key = base .. 'replay:' .. id
local state = call('HGET', key, 'state')
if state ~= 'running' then return state end
call('HSET', key, 'state', end_state)
call('PEXPIRE', key, kept)
call('DEL', key .. ':left-out')
call('SREM', base .. 'chores', 'replay:' .. id)
return end_state

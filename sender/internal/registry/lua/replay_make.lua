-- replay_make: begins a replay.
--
-- KEYS[1] the shard
-- ARGV[10] its ID, ARGV[11] lane, ARGV[12] account, ARGV[13] most replays of an account that are kept, ARGV[14] ms of its creation,
--   ARGV[15…] fields and values of its record
-- Returns "ok", or "gone" where the lane was deleted meanwhile.
--
-- Safe to repeat: it writes the same again.

local id, lane, account, most, created = unpack(ARGV, 10, 14)
most = tonumber(most)
local h = call('HMGET', base .. 'conf:' .. lane, 'a', 'st')
if h[1] ~= account or h[2] == 'deleted' then return 'gone' end
local key, order = base .. 'replay:' .. id, base .. 'replays:' .. account
call('HSET', key, 'account', account, 'created', created, unpack(ARGV, 15))
call('PERSIST', key .. ':left-out')
call('SADD', base .. 'chores', 'replay:' .. id)
call('ZADD', order, created, id)
-- Those that ended make room; what is not listed is not kept either.
local over = call('ZCARD', order) - most
for _, old in ipairs(over > 0 and call('ZRANGE', order, 0, 99) or {}) do
  if over > 0 and call('HGET', base .. 'replay:' .. old, 'state') ~= 'running' then
    call('DEL', base .. 'replay:' .. old)
    call('ZREM', order, old)
    over = over - 1
  end
end
return 'ok'

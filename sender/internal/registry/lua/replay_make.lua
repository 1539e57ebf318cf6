-- replay_make: stores a new replay, and the task that runs it.
--
-- KEYS[1] the shard's tag
-- ARGV[10] ID of the replay, ARGV[11] lane, ARGV[12] account, ARGV[13] how many replays of an account are kept, ARGV[14] when it was created (ms),
--   ARGV[15…] names and values of the other fields of its record
-- Returns "ok", or "gone" where the account has no such lane, or it was deleted.
--
-- Safe to repeat: it writes the same again.

local id, lane, account, most, created = unpack(ARGV, 10, 14)
most = tonumber(most)
local h = call('HMGET', base .. 'conf:' .. lane, 'a', 'st')
if h[1] ~= account or h[2] == 'deleted' then return 'gone' end
local key, of_account = base .. 'replay:' .. id, base .. 'replays:' .. account
call('HSET', key, 'account', account, 'created', created, unpack(ARGV, 15))
call('PERSIST', key .. ':left-out')
call('SADD', base .. 'chores', 'replay:' .. id)
call('ZADD', of_account, created, id)
-- Replays that have ended make room. One that is not listed has no record either.
local over = call('ZCARD', of_account) - most
for _, old in ipairs(over > 0 and call('ZRANGE', of_account, 0, 99) or {}) do
  if over > 0 and call('HGET', base .. 'replay:' .. old, 'state') ~= 'running' then
    call('DEL', base .. 'replay:' .. old)
    call('ZREM', of_account, old)
    over = over - 1
  end
end
return 'ok'

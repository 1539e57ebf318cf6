-- purge: drops events for good, dead ones and waiting ones. One that is being delivered stays.
--
-- KEYS[1] the tag of the queue, see lib.lua of internal/queue
-- ARGV[10] lane, ARGV[11…] jobs
-- Returns how many events it dropped.
--
-- Safe to repeat: an event that was dropped before is not counted.

local lane, dropped, waited = ARGV[10], 0, 0
for i = 11, #ARGV do
  local job = ARGV[i]
  local waits = call('ZREM', base .. 'lane:' .. lane, job)
  waited = waited + waits
  if waits + call('ZREM', base .. 'dead:' .. lane, job) > 0 then
    call('ZREM', base .. 'late:' .. lane, job)
    call('DEL', base .. 'job:' .. lane .. job, base .. 'body:' .. job)
    dropped = dropped + 1
  end
end
if waited > 0 then
  local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'hu')
  offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), h[5], 0)
  count_waiting(-waited)
end
return dropped

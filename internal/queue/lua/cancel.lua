-- cancel: ends waiting deliveries of a deleted webhook, some at a time.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] most at once
-- Returns how many are left, and how many it ended.
--
-- Safe to repeat: each delivery is taken out in the same step.

local lane, most = unpack(ARGV, 10, 11)
most = tonumber(most)
local key = base .. 'lane:' .. lane
local jobs = call('ZRANGE', key, 0, most - 1)
for _, job in ipairs(jobs) do
  cancel(lane, job)
  call('ZREM', key, job)
end
waiting(-#jobs)
local by = {}
and_waiting(by, call('HGET', base .. 'conf:' .. lane, 'a'), -#jobs)
waiting_of(by)
local left = call('ZCARD', key)
if left == 0 then
  call('ZREM', base .. 'ages', lane)
  call('SREM', base .. 'chores', 'cancel:' .. lane)
end
return { left, #jobs }

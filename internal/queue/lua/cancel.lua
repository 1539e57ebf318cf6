-- cancel: ends waiting deliveries of a deleted webhook as cancelled, some at a time.
--
-- KEYS[1] the shard's tag
-- ARGV[10] lane, ARGV[11] how many to end
-- Returns how many are left, and how many it ended.
--
-- Safe to repeat: a delivery leaves the lane in the same step. The task is removed with the last one.

local lane, most = unpack(ARGV, 10, 11)
most = tonumber(most)
local key = base .. 'lane:' .. lane
local jobs = call('ZRANGE', key, 0, most - 1)
for _, job in ipairs(jobs) do
  cancel(lane, job)
  call('ZREM', key, job)
end
count_waiting(-#jobs)
local waiting_by_account = {}
add_waiting(waiting_by_account, call('HGET', base .. 'conf:' .. lane, 'a'), -#jobs)
count_waiting_of(waiting_by_account)
local left = call('ZCARD', key)
if left == 0 then
  call('ZREM', base .. 'ages', lane)
  call('SREM', base .. 'chores', 'cancel:' .. lane)
end
return { left, #jobs }

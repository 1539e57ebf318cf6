-- received_read: what the receivers of all processes counted.
--
-- KEYS[1] the tag of what belongs to the whole store
-- ARGV[1] seconds of a part of the window, see received.lua
-- Returns for each receiver: its name, its counts by outcome, and its counts by part and outcome (<start>:<outcome>).
--
-- Only reads.

local base, all = KEYS[1] .. 'received:', {}
for _, name in ipairs(redis.call('HKEYS', base .. 'names')) do
  all[#all + 1] = name
  all[#all + 1] = redis.call('HGETALL', base .. '0:' .. name)
  all[#all + 1] = redis.call('HGETALL', base .. ARGV[1] .. ':' .. name)
end
return all

-- received_read: what the receivers of all processes counted.
--
-- KEYS[1] the tag of what belongs to the whole store
-- ARGV[1] seconds of a part of the window, see received.lua
-- Returns for each receiver: its name, its counts by outcome, and its counts by part and outcome (<start>:<outcome>).
--
-- Only reads.

local tag, part, all = KEYS[1], ARGV[1], {}
for _, name in ipairs(redis.call('HKEYS', tag .. 'received:names')) do
  all[#all + 1] = name
  for _, seconds in ipairs({ '0', part }) do
    local counts = tag .. 'received:' .. seconds .. ':' .. name
    all[#all + 1] = redis.call('HGETALL', counts)
  end
end
return all

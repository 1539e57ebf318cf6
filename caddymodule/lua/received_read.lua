-- received_read: returns what the receivers of all processes have counted. Changes nothing.
--
-- KEYS[1] the tag of the keys that belong to the whole store
-- ARGV[1] seconds in a part of the window, see received.lua
-- Returns for each receiver: its name, its counts by outcome since the first request, and its counts by part and outcome (<start>:<outcome>).

local tag, part, all = KEYS[1], ARGV[1], {}
for _, name in ipairs(redis.call('HKEYS', tag .. 'received:names')) do
  all[#all + 1] = name
  for _, seconds in ipairs({ '0', part }) do
    local counts = tag .. 'received:' .. seconds .. ':' .. name
    all[#all + 1] = redis.call('HGETALL', counts)
  end
end
return all

-- order: sets whether the events of a queue are delivered one after the other, in their order.
--
-- KEYS[1] the tag of the queue, see lib.lua of internal/queue
-- ARGV[10] lane, ARGV[11] the receiver's tag, ARGV[12] "1" where they are
-- Returns 0.
--
-- It is noted for the receiver, for lanes that are made later; a lane that was made with the other setting is changed.
-- Safe to repeat: a second call finds the lane changed.

local lane, root, ordered = ARGV[10], ARGV[11], ARGV[12] == '1'
if ordered then call('SET', root .. 'order', '1') else call('DEL', root .. 'order') end
local before = call('HMGET', base .. 'conf:' .. lane, 'st', 'ord')
if before[1] and (ordered_by(before[2]) ~= nil) ~= ordered then
  set_order(lane, ordered)
  if ordered then call('HSET', base .. 'conf:' .. lane, 'ord', '2') end -- claim.lua first puts in order what waits
  local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'hu')
  offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), h[5], 0)
end
return 0

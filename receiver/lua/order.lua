-- order: says whether the events of a queue go out in their order, as its configuration has it.
--
-- KEYS[1] the tag of the queue, see lib.lua of internal/queue
-- ARGV[10] lane, ARGV[11] the receiver's tag, ARGV[12] "1" where they do
--
-- It is noted for the receiver, for the lanes that are still to be made, and changed where a lane was made for another configuration.
-- Safe to repeat.

local lane, root, ordered = ARGV[10], ARGV[11], ARGV[12] == '1'
if ordered then call('SET', root .. 'order', '1') else call('DEL', root .. 'order') end
local was = call('HMGET', base .. 'conf:' .. lane, 'st', 'ord')
if was[1] and (ordered_by(was[2]) ~= nil) ~= ordered then
  set_order(lane, ordered)
  if ordered then call('HSET', base .. 'conf:' .. lane, 'ord', '2') end -- what waits is put in order first
  local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'hu')
  offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), h[5], 0)
end
return 0

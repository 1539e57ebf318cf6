-- lanes.lua: what accept.lua, move.lua and order.lua have in common: the lane of a queue that nothing was in yet.

-- set_order has the lane's events go out one at a time and in their order, or as many at once as the app takes.
local function set_order(lane, ordered)
  local conf = base .. 'conf:' .. lane
  if ordered then call('HSET', conf, 'ord', '1', 'w', '1') else call('HSET', conf, 'ord', '0', 'w', '1000000', 'rec', '1') end
end

-- make_lane sets up the lane of the queue under base. root is the receiver's tag.
local function make_lane(lane, root)
  -- The app's own limits count, not a window.
  call('HSET', base .. 'conf:' .. lane, 'st', 'active', 'fix', '1', 'w', '1000000', 'fl', '0')
  if call('GET', root .. 'order') == '1' then set_order(lane, true) end
  call('SADD', root .. 'delivers', base) -- for those that a configuration forgets, see queue_deliveries.go
end

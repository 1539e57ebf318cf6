-- lanes.lua: makes and changes the lane of a receiver's queue. It stands in front of accept.lua, move.lua and order.lua.

-- set_order has the lane's events delivered one at a time and in order, or as many at once as the app takes.
local function set_order(lane, ordered)
  local conf = base .. 'conf:' .. lane
  if ordered then call('HSET', conf, 'ord', '1', 'w', '1') else call('HSET', conf, 'ord', '0', 'w', '1000000', 'rec', '1') end
end

-- make_lane makes the lane of the queue whose tag is base. root is the receiver's tag.
local function make_lane(lane, root)
  -- A window that never changes and is larger than any number of workers: the app's own limits count.
  call('HSET', base .. 'conf:' .. lane, 'st', 'active', 'fix', '1', 'w', '1000000', 'fl', '0')
  if call('GET', root .. 'order') == '1' then set_order(lane, true) end
  call('SADD', root .. 'delivers', base) -- so that queues are found which the configuration no longer names, see queue_deliveries.go
end

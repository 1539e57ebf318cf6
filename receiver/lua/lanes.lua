-- lanes.lua: what accept.lua and move.lua have in common: the lane of a queue that nothing was in yet.

-- make_lane sets up the lane of the queue under base. root is the receiver's tag.
local function make_lane(lane, root)
  -- The app's own limits count, not a window.
  call('HSET', base .. 'conf:' .. lane, 'st', 'active', 'fix', '1', 'w', '1000000', 'fl', '0')
  call('SADD', root .. 'delivers', base) -- for those that a configuration forgets, see deliveries.go
end

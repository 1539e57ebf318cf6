-- gauges: counts jobs that wait and attempts in flight, and says how long the oldest job that could be attempted has been due. Changes nothing, and
-- reads a bounded number of lanes.
--
-- KEYS[1] a shard's tag
-- ARGV[10…] tags of further shards on the same node
-- Returns for each shard: jobs that wait, attempts in flight, ms since the oldest job became due (0: none is due).
--
-- With few lanes, the jobs of each are counted. With more, it is the running count, which an aborted script (see lib.lua) may have put wrong by a
-- little. Only lanes in ready count as late: one that is paused, or has as many attempts as its cap or its rate allows, waits for its endpoint or
-- its owner, not for us. ready is in the order in which lanes were served, so those that were served longest ago come first.

local COUNTED, LOOKED_AT = 64, 64

local function gauge(tag)
  local waiting, late = 0, 0
  local lanes = call('ZCARD', tag .. 'ages')
  if lanes > COUNTED then
    waiting = math.max(tonumber(call('HGET', tag .. 'stats', 'waiting')) or 0, 0)
  elseif lanes > 0 then
    for _, lane in ipairs(call('ZRANGE', tag .. 'ages', 0, -1)) do waiting = waiting + call('ZCARD', tag .. 'lane:' .. lane) end
  end
  if lanes > 0 then
    for _, lane in ipairs(call('ZRANGEBYSCORE', tag .. 'ready', '-inf', ready_by, 'LIMIT', 0, LOOKED_AT)) do
      local head = call('ZRANGE', tag .. 'lane:' .. lane, 0, 0, 'WITHSCORES')
      if head[2] then
        local due = tonumber(head[2])
        if due % 1 ~= 0 and due % 1 ~= 0.5 then due = tonumber(call('ZSCORE', tag .. 'ready', lane)) end -- a place in an ordered lane is no time
        late = math.max(late, now - math.floor(due))
      end
    end
  end
  return waiting, call('ZCARD', tag .. 'leases'), late
end

local reply = { gauge(base) }
for i = 10, #ARGV do
  for _, v in ipairs({ gauge(ARGV[i]) }) do reply[#reply + 1] = v end
end
return reply

-- stats: returns the attempts that were counted for a lane, an account or the whole shard, and what waits there, all at one moment. Changes nothing.
--
-- KEYS[1] the shard's tag
-- ARGV[10] "lane", "account" or "all", ARGV[11] name of the lane or account ("" for all)
-- Returns now (ms); the attempts of the open minute and the earlier ones, packed as figures.lua says ("" where there are none); how many jobs wait; how
--   long (ms) the oldest job has been due that nothing but the limits of its lane keeps from being attempted (0: there is none); and on how many
--   events the filter of the lane has failed (0 for an account and for all). For all, the numbers of waiting and due jobs are 0: gauges.lua has them.

local kind, name = ARGV[10], ARGV[11]

local waiting_jobs, oldest = 0, now
-- add_lane adds the jobs that wait in a lane.
local function add_lane(lane)
  local key = base .. 'lane:' .. lane
  local head = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  if not head[2] then return end
  waiting_jobs = waiting_jobs + call('ZCARD', key)
  local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'hu', 'ord')
  if is_served(h[1]) then oldest = math.min(oldest, math.max(math.floor(tonumber(head[2])), held_until(lane, h[2], h[3]))) end
end

local open, kept, filter_failures
if kind == 'lane' then
  local h = call('HMGET', base .. 'conf:' .. name, 'q', 'fe')
  open, filter_failures, kept = h[1], h[2], call('GET', base .. 'figures:w:' .. name)
  add_lane(name)
elseif kind == 'account' then
  open, kept = call('HGET', base .. 'figures', name), call('GET', base .. 'figures:a:' .. name)
  for _, lane in ipairs(call('ZRANGE', base .. 'hooks:' .. name, 0, -1)) do add_lane(lane) end
else
  open, kept = call('HGET', base .. 'figures', '*'), call('GET', base .. 'figures:all')
end
return { now, open or '', kept or '', waiting_jobs, now - oldest, tonumber(filter_failures) or 0 }

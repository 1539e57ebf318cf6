-- stats: what was counted of a lane, of an account or of the whole shard, and what waits there, all at one moment. Changes nothing.
--
-- KEYS[1] the shard
-- ARGV[10] "lane", "account" or "all", ARGV[11] the lane's or account's name, "" for all
-- Returns: now (ms), what is open and what is kept (see figures.lua; "" where nothing is), waiting, ms since the oldest job became due that
--   only its lane's own limits keep from being attempted (0: none is; of all, these two are 0: see gauges.lua), and the events on which the
--   filter of the lane failed (0 but of a lane).

local kind, name = ARGV[10], ARGV[11]

local waiting_jobs, oldest = 0, now
local function look_into(lane)
  local key = base .. 'lane:' .. lane
  local head = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  if not head[2] then return end
  waiting_jobs = waiting_jobs + call('ZCARD', key)
  local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'hu', 'ord')
  if served(h[1]) then oldest = math.min(oldest, math.max(math.floor(tonumber(head[2])), held_until(lane, h[2], h[3]))) end
end

local open, kept, failing
if kind == 'lane' then
  local h = call('HMGET', base .. 'conf:' .. name, 'q', 'fe')
  open, failing, kept = h[1], h[2], call('GET', base .. 'figures:w:' .. name)
  look_into(name)
elseif kind == 'account' then
  open, kept = call('HGET', base .. 'figures', name), call('GET', base .. 'figures:a:' .. name)
  for _, lane in ipairs(call('ZRANGE', base .. 'hooks:' .. name, 0, -1)) do look_into(lane) end
else
  open, kept = call('HGET', base .. 'figures', '*'), call('GET', base .. 'figures:all')
end
return { now, open or '', kept or '', waiting_jobs, now - oldest, tonumber(failing) or 0 }

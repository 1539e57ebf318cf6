-- list_reply: makes the answer of list.lua. Of each lane's log it reads only the part in which attempts of the lane's jobs on the page can be, once for all
-- of them: from when the first of their events came until the last of the jobs failed for good, if all did.

local SLACK = 2000 -- ms by which the clock may have gone back between two entries
local SHORT = 64   -- reading so many entries of a log costs less than searching it

-- first_from returns the first place in a log, from one place to before another, with an entry that was settled at ms or later. Entries are in the
-- order in which they were settled.
local function first_from(log, from, before, ms)
  while from < before do
    local middle = math.floor((from + before) / 2)
    local entry = call('LINDEX', log, middle)
    if tonumber(string.sub(entry, JOB + 1, JOB + 13)) < ms then from = middle + 1 else before = middle end
  end
  return from
end

-- read_log gives each of a lane's jobs on the page its log entries between two times, from the latest most_entries of them. It returns the time from
-- which on it has read all, or nil where it has read all there are; and how many it read.
local function read_log(lane, since, till, most_entries)
  local log = base .. 'log:' .. lane
  local before = call('LLEN', log)
  local from = math.max(before - each_log, 0)
  if before - from > SHORT then
    from = first_from(log, from, before, since - SLACK)
    if till then before = first_from(log, from, before, till + SLACK) end
  end
  local part = math.max(before - most_entries, from)
  if part == before then return part > from and math.huge or nil, 0 end
  local entries = call('LRANGE', log, part, before - 1)
  for _, entry in ipairs(entries) do
    local on_page = of_lane[lane][string.sub(entry, 1, JOB)]
    if on_page then on_page.log[#on_page.log + 1] = string.sub(entry, JOB + 1) end
  end
  return part > from and tonumber(string.sub(entries[1], JOB + 1, JOB + 13)) or nil, #entries
end

-- For each lane: from when and until when (nil: not known) attempts of its jobs can have been settled, and from when on all were read (nil: all are).
local spans = {}
for _, lane in ipairs(confs) do
  local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'hu', 'ord')
  spans[lane] = { status = h[1], held = held_until(lane, h[2], h[3]), since = math.huge, till = 0 }
end
for _, j in ipairs(jobs) do
  local span, failed = spans[j.lane], nil
  j.standing, failed = standing(j.lane, j.job, span.status, span.held)
  j.created = tonumber(j.standing[11]) or 0
  span.since, span.till = math.min(span.since, j.created), span.till and failed and math.max(span.till, failed)
end
-- What reading one log leaves of the entries of all logs is for the next ones.
for i, lane in ipairs(confs) do
  local span, read = spans[lane], nil
  span.read_from, read = read_log(lane, span.since, span.till, math.min(each_log, math.floor(all_logs / (#confs - i + 1))))
  all_logs = all_logs - read
end

local place = next_place or { id = '', lane = '', job = '' }
local reply = { place.id, place.lane, place.job, older, #jobs }
for _, j in ipairs(jobs) do
  local read_from = spans[j.lane].read_from
  local left_out = read_from and j.created < read_from
  reply[#reply + 1] = j.lane
  reply[#reply + 1] = j.job
  reply[#reply + 1] = left_out and '1' or ''
  for _, v in ipairs(j.standing) do reply[#reply + 1] = v end
  reply[#reply + 1] = left_out and {} or j.log
end
return reply

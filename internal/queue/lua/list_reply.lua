-- list_reply: answers with what was found, see list.lua. Each lane's log is looked through once, for all of its jobs.

local reads = math.min(each_log, math.floor(all_logs / math.max(#confs, 1)))
for _, lane in ipairs(confs) do
  local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'hu', 'ord')
  local entries = call('LRANGE', base .. 'log:' .. lane, -reads, -1)
  for _, entry in ipairs(entries) do
    local of = of_lane[lane][string.sub(entry, 1, JOB)]
    if of then of.log[#of.log + 1] = string.sub(entry, JOB + 1) end
  end
  -- What is older than all that was read may have had attempts before.
  local whole = reads >= each_log or #entries < reads
  local first = not whole and tonumber(string.sub(entries[1], JOB + 1, JOB + 13))
  of_lane[lane] = { st = h[1], hu = held_until(lane, h[2], h[3]), first = first }
end

local place = next_place or { id = '', lane = '', job = '' }
local reply = { place.id, place.lane, place.job, older, #jobs }
for _, j in ipairs(jobs) do
  local of = of_lane[j.lane]
  local s = standing(j.lane, j.job, of.st, of.hu)
  local left_out = of.first and (tonumber(s[11]) or 0) < of.first
  reply[#reply + 1] = j.lane
  reply[#reply + 1] = j.job
  reply[#reply + 1] = left_out and '1' or ''
  for _, v in ipairs(s) do reply[#reply + 1] = v end
  reply[#reply + 1] = left_out and {} or j.log
end
return reply

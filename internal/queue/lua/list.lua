-- list: jobs of a lane, or of all lanes of an account, newest first, with how they stand and the attempts made, all at one moment. Changes nothing.
--
-- KEYS[1] the shard
-- ARGV[10] account, ARGV[11] its only lane to look at or "" for all, ARGV[12] where to begin: a place in a lane's history, itself included
--   ("+": the newest), ARGV[13] where that was the end of a page, the lane of its last job, else "", ARGV[14] the oldest place, ARGV[15] only jobs in this state
--   (a letter of STATE, "" for any), ARGV[16] only those of events of this type ("" for any), ARGV[17] most jobs, ARGV[18] most jobs to go
--   through, ARGV[19] entries of a lane's log to look through at most, ARGV[20] of all logs together,
--   ARGV[21] and ARGV[22] only those of events made from then and until then (ms, "" for any)
-- Returns: place and lane at which to go on ("" twice: nothing is left), number of jobs, and for each: lane, job, "1" where its attempts were left
--   out as there was too much to look through, what standing returns, and a list of its log entries as in inspect.lua. Jobs of events that are not
--   known any more are not there.
--
-- Jobs of one place come by lane, backwards: so a page's end is a place and a lane, which stays where it is while others come and go.

local account, only, from, after, to = ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14]
local state, kind, most, through = ARGV[15], ARGV[16], tonumber(ARGV[17]), tonumber(ARGV[18])
local since_ms, until_ms = tonumber(ARGV[21]) or 0, tonumber(ARGV[22]) or math.huge
local each_log, all_logs = tonumber(ARGV[19]), tonumber(ARGV[20])

local lanes = only ~= '' and { only } or call('ZRANGE', base .. 'hooks:' .. account, 0, -1)
local PART = math.max(2, math.min(200, math.floor(2 * most / math.max(#lanes, 1))))

-- A reader goes back through one lane's history: first through what is in idx, then through what moved to old.
local function read_on(r)
  while not r.done do
    local found = call('XREVRANGE', base .. (r.in_old and 'old:' or 'idx:') .. r.lane, r.from, to, 'COUNT', PART)
    if #found > 0 then r.from = '(' .. found[#found][1] end
    if #found < PART then
      r.done = r.in_old
      r.in_old = true
    end
    if #found > 0 then
      r.found, r.at = found, 0
      return
    end
  end
  r.found, r.at = {}, 0
end

-- step goes to a reader's next job, and returns whether there is one.
local function step(r)
  if r.at == #r.found then read_on(r) end
  r.at = r.at + 1
  local entry = r.found[r.at]
  if not entry then return false end
  r.id, r.job = entry[1], entry[2][2]
  local ms, seq = string.match(r.id, '^(%d+)-(%d+)$')
  r.key = string.format('%015.0f-%020.0f', tonumber(ms), tonumber(seq)) .. r.lane
  return true
end

-- The readers stand in a heap, the newest job on top.
local heap = {}
local function sink(i)
  while true do
    local top, left = i, 2 * i
    if heap[left] and heap[left].key > heap[top].key then top = left end
    if heap[left + 1] and heap[left + 1].key > heap[top].key then top = left + 1 end
    if top == i then return end
    heap[i], heap[top] = heap[top], heap[i]
    i = top
  end
end
for _, lane in ipairs(lanes) do
  local first = from
  if after ~= '' and lane >= after then first = '(' .. from end
  local r = { lane = lane, from = first, found = {}, at = 0 }
  if step(r) then heap[#heap + 1] = r end
end
for i = math.floor(#heap / 2), 1, -1 do sink(i) end

local jobs, confs, of_lane, seen, last = {}, {}, {}, 0, nil
while heap[1] and #jobs < most and seen < through do
  local r = heap[1]
  seen, last = seen + 1, { r.id, r.lane }
  local e = call('HMGET', base .. 'event:' .. r.job, 'l', 's', 'y', 'c')
  local at, created = e[1] and e[2] and state_at(e[1], r.lane), tonumber(e[4]) or 0
  if at and created >= since_ms and created <= until_ms and (state == '' or string.sub(e[2], at, at) == state) and (kind == '' or e[3] == kind) then
    jobs[#jobs + 1] = { lane = r.lane, job = r.job, log = {} }
    if not of_lane[r.lane] then
      of_lane[r.lane] = {}
      confs[#confs + 1] = r.lane
    end
    of_lane[r.lane][r.job] = jobs[#jobs]
  end
  if not step(r) then
    heap[1] = heap[#heap]
    heap[#heap] = nil
  end
  sink(1)
end

-- Each lane's log is looked through once, for all of its jobs.
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

local reply = { '', '', #jobs }
if heap[1] then reply[1], reply[2] = last[1], last[2] end
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

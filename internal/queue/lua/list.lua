-- list: returns jobs of a lane or of an account, newest first, with their states and attempts, all at one moment. Changes nothing. In front of it stands
-- standing.lua; behind it the file that finds the jobs (list_history.lua, list_events.lua or list_failed.lua), and then list_reply.lua.
--
-- KEYS[1] the shard's tag
-- ARGV[10] account, ARGV[11] its only lane to read ("" for all), ARGV[12…14] where the page before ended: a place, a lane and a job ("" for the first page;
--   the file behind says which of them it uses), ARGV[15] and ARGV[16] the earliest and the latest time of events (ms; "" for any), ARGV[17] the only state
--   of jobs (a letter of STATE; "" for any), ARGV[18] the only type of events ("" for any), ARGV[19] how many jobs to return at most, ARGV[20] how many to
--   read at most, ARGV[21] how many entries of one log to read at most, ARGV[22] how many of all logs together
-- Returns place, lane and job at which the next page begins (all "": there is none); a time (ms; "": none) before which jobs are only in the histories of
--   lanes; number of jobs, and for each: lane, job, "1" where its attempts were left out because there was too much to read, its state as inspect.lua
--   returns it, and a list of its log entries as there. Jobs whose events are not known any more are left out.

local account, only, after_id, after_lane, after_job = unpack(ARGV, 10, 14)
local after = after_id ~= '' and { id = after_id, lane = after_lane, job = after_job } or nil
local since_ms, until_ms = tonumber(ARGV[15]) or 0, tonumber(ARGV[16]) or math.huge
local state, kind, most, through = ARGV[17], ARGV[18], tonumber(ARGV[19]), tonumber(ARGV[20])
local each_log, all_logs = tonumber(ARGV[21]), tonumber(ARGV[22])

local jobs, confs, of_lane, seen = {}, {}, {}, 0
local next_place -- id, lane and job at which this page ends, where there may be more
local older = '' -- the time before which jobs are only in the histories of lanes

-- in_period reports whether an event was created between the earliest and the latest time asked for.
local function in_period(created)
  created = tonumber(created) or 0
  return created >= since_ms and created <= until_ms
end

-- add puts a job on the page.
local function add(lane, job)
  jobs[#jobs + 1] = { lane = lane, job = job, log = {} }
  if not of_lane[lane] then
    of_lane[lane] = {}
    confs[#confs + 1] = lane
  end
  of_lane[lane][job] = jobs[#jobs]
end

-- merge adds the jobs that readers find, newest first, until the page is full. A reader has a function step, which goes on to its next job and reports
-- whether there is one. Then its fields lane and job name that job, key is what the jobs of all readers are ordered by, and place is where a page that
-- ends with the job goes on: it names the job, so it stays right while other jobs come and go.
local function merge(readers)
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
  for _, r in ipairs(readers) do
    if r.step(r) then heap[#heap + 1] = r end
  end
  for i = math.floor(#heap / 2), 1, -1 do sink(i) end
  local last
  while heap[1] and #jobs < most and seen < through do
    local r = heap[1]
    seen, last = seen + 1, r.place
    local e = call('HMGET', base .. 'event:' .. r.job, 'l', 's', 'y', 'c')
    local at = e[1] and e[2] and place_of_lane(e[1], r.lane)
    if at and in_period(e[4]) and (state == '' or string.sub(e[2], at, at) == state) and (kind == '' or e[3] == kind) then add(r.lane, r.job) end
    if not r.step(r) then
      heap[1] = heap[#heap]
      heap[#heap] = nil
    end
    if heap[1] then sink(1) end
  end
  if heap[1] then next_place = last end
end

-- part_of returns how many entries each of so many readers reads at once.
local function part_of(readers) return math.max(2, math.min(200, math.floor(2 * most / math.max(readers, 1)))) end

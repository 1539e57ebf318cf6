-- list: jobs of a lane, or of an account, newest first, with how they stand and the attempts made, all at one moment. Changes nothing. In front of it
-- is standing.lua; behind it one file that says where jobs are found, newest first (list_history.lua, list_events.lua, list_failed.lua), and list_reply.lua.
--
-- KEYS[1] the shard
-- ARGV[10] account, ARGV[11] its only lane to look at or "" for all, ARGV[12…14] where the page before ended: a place, the lane and the job of what was
--   last on it ("" for the newest; which of these it has is said in the file behind), ARGV[15] and ARGV[16] only those of events made from then and
--   until then (ms, "" for any), ARGV[17] only jobs in this state (a letter of STATE, "" for any), ARGV[18] only those of events of this type ("" for any),
--   ARGV[19] most jobs, ARGV[20] most jobs to go through, ARGV[21] entries of a lane's log to look through at most, ARGV[22] of all logs together
-- Returns: place, lane and job at which to go on (all "": nothing is left), ms ("": what is older than that is in the lanes' histories only), number of
--   jobs, and for each: lane, job, "1" where its attempts were left out as there was too much to look through, what standing returns, and a list of
--   its log entries as in inspect.lua. Jobs of events that are not known any more are not there.

local account, only, after_id, after_lane, after_job = unpack(ARGV, 10, 14)
local after = after_id ~= '' and { id = after_id, lane = after_lane, job = after_job } or nil
local since_ms, until_ms = tonumber(ARGV[15]) or 0, tonumber(ARGV[16]) or math.huge
local state, kind, most, through = ARGV[17], ARGV[18], tonumber(ARGV[19]), tonumber(ARGV[20])
local each_log, all_logs = tonumber(ARGV[21]), tonumber(ARGV[22])

local jobs, confs, of_lane, seen = {}, {}, {}, 0
local next_place -- id, lane and job of what was last, where there may be more
local older = '' -- ms, see above

-- came_when_wanted reports whether an event came when those came that are asked for.
local function came_when_wanted(created)
  created = tonumber(created) or 0
  return created >= since_ms and created <= until_ms
end

local function add(lane, job)
  jobs[#jobs + 1] = { lane = lane, job = job, log = {} }
  if not of_lane[lane] then
    of_lane[lane] = {}
    confs[#confs + 1] = lane
  end
  of_lane[lane][job] = jobs[#jobs]
end

-- merge goes through what readers find, newest first. A reader has step, which goes on to its next job and reports whether there is one, and then lane,
-- job, place and key, by which all are in order. So a page's end stays where it is while others come and go.
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
    local at = e[1] and e[2] and state_at(e[1], r.lane)
    if at and came_when_wanted(e[4]) and (state == '' or string.sub(e[2], at, at) == state) and (kind == '' or e[3] == kind) then add(r.lane, r.job) end
    if not r.step(r) then
      heap[1] = heap[#heap]
      heap[#heap] = nil
    end
    if heap[1] then sink(1) end
  end
  if heap[1] then next_place = last end
end

-- part_of is how many entries a reader reads at once, one of many.
local function part_of(readers) return math.max(2, math.min(200, math.floor(2 * most / math.max(readers, 1)))) end

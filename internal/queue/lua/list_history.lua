-- list_history: finds jobs in the histories of lanes, see list.lua: in that of one lane, or in those of all lanes that an account has.
--
-- A page ends at a place in the history, and at a lane. Jobs with the same place come by lane, the last one first.

local QUEUED_WITHIN = 2000 -- ms after its event came within which a job is in its lane's history
local lanes = only ~= '' and { only } or call('ZRANGE', base .. 'hooks:' .. account, 0, -1)
local from = after and after.id or until_ms < math.huge and int(until_ms + QUEUED_WITHIN) or '+'
local to, PART = since_ms > 0 and int(since_ms) or '-', part_of(#lanes)

-- read_on reads the next part of a lane's history, newest first: of idx, and behind that of old.
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

-- step goes on to a reader's next job.
local function step(r)
  if r.at == #r.found then read_on(r) end
  r.at = r.at + 1
  local entry = r.found[r.at]
  if not entry then return false end
  local ms, seq = string.match(entry[1], '^(%d+)-(%d+)$')
  r.job, r.place = entry[2][2], { id = entry[1], lane = r.lane, job = '' }
  r.key = string.format('%015.0f-%020.0f', tonumber(ms), tonumber(seq)) .. r.lane
  return true
end

local readers = {}
for i, lane in ipairs(lanes) do
  local first = from
  if after and lane >= after.lane then first = '(' .. from end
  readers[i] = { lane = lane, from = first, found = {}, at = 0, step = step }
end
merge(readers)

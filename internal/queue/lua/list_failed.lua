-- list_failed: finds failed jobs of one lane, or of all lanes that an account has or had, see list.lua.
--
-- A page ends at the time when the event came (ms), the lane and the job.

local lanes = { only }
if only == '' then
  lanes = call('ZRANGE', base .. 'hooks:' .. account, 0, -1)
  for _, lane in ipairs(call('ZRANGE', base .. 'unhooked:' .. account, 0, -1)) do lanes[#lanes + 1] = lane end
end
local PART = part_of(#lanes)
local newest = after and after.id or until_ms < math.huge and int(until_ms) or '+inf'

-- key_of returns what jobs are ordered by.
local function key_of(ms, job, lane) return string.format('%015.0f', tonumber(ms)) .. job .. lane end
local bound = after and key_of(after.id, after.job, after.lane)

-- step goes on to a reader's next job. It passes over jobs of the first millisecond that the page before has shown.
local function step(r)
  repeat
    if r.at == #r.found then
      r.found, r.at = call('ZREVRANGE', r.set, int(r.rank), int(r.rank + PART - 1), 'WITHSCORES'), 0
      r.rank = r.rank + PART
      if #r.found == 0 then return false end
    end
    r.at = r.at + 2
    local job, ms = r.found[r.at - 1], r.found[r.at]
    if tonumber(ms) < since_ms then return false end
    r.job, r.place, r.key = job, { id = int(tonumber(ms)), lane = r.lane, job = job }, key_of(ms, job, r.lane)
  until not bound or r.key < bound
  return true
end

local readers = {}
for _, lane in ipairs(lanes) do
  local set = base .. 'failed:' .. lane
  local first = call('ZREVRANGEBYSCORE', set, newest, '-inf', 'LIMIT', 0, 1)[1]
  if first then readers[#readers + 1] = { lane = lane, set = set, rank = call('ZREVRANK', set, first), found = {}, at = 0, step = step } end
end
merge(readers)

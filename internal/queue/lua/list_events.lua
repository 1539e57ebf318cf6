-- list_events: finds the jobs of an account by its list of events, see list.lua, so that only lanes with a job on the page are read. It also finds
-- jobs of lanes that were deleted.
--
-- A page ends at an event's place in the list, and at one of its lanes ("": behind all of them). The jobs of an event come in the order of its lanes.
-- Of events that are not listed any more only the failed jobs are kept, in the histories of lanes: older says from when on, if the account is that old.

local LANES = 50 -- so many lanes of an event count as one more event read
local key, listed_since = base .. 'events:' .. account, math.max(now - EVENTS_TTL, 0)
local till = int(math.max(since_ms, listed_since))
local from = after and after.id or until_ms < math.huge and int(until_ms) or '+'
if after and after.lane == '' then from = '(' .. from end
local last = after

-- add_jobs adds the jobs of an event. It returns false where the page is full and the event has more of them.
local function add_jobs(id, job, lanes, states)
  local at = 0
  local done = after and after.id == id and place_of_lane(lanes, after.lane) or 0
  for lane in string.gmatch(lanes, '%S+') do
    at = at + 1
    if at > done and (state == '' or string.sub(states, at, at) == state) then
      if #jobs == most then return false end
      add(lane, job)
      last = { id = id, lane = lane, job = '' }
    end
  end
  seen = seen + math.floor(at / LANES)
  return true
end

local ended = false
while not next_place and not ended do
  local part = math.min(100, most - #jobs + 1)
  local entries = call('XREVRANGE', key, from, till, 'COUNT', int(part))
  ended = #entries < part
  for _, entry in ipairs(entries) do
    local id, job = entry[1], entry[2][2]
    if seen >= through then
      next_place = last
      break
    end
    from, seen = '(' .. id, seen + 1
    if kind == '' or entry[2][4] == kind then
      local e = call('HMGET', base .. 'event:' .. job, 'a', 'l', 's', 'c')
      if e[1] == account and e[2] and e[3] and in_period(e[4]) and not add_jobs(id, job, e[2], e[3]) then
        next_place = last
        break
      end
    end
    last = { id = id, lane = '', job = '' }
  end
end
if not next_place and since_ms < listed_since and (tonumber(call('HGET', base .. 'account:' .. account, 'c')) or 0) < listed_since then
  older = int(math.min(listed_since, last and time_of(last.id) or listed_since, until_ms + 1))
end

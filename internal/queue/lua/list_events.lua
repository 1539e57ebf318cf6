-- list_events: finds the jobs of an account by its events, see list.lua, so that no lane is looked at without a job on the page. What of an event went
-- to lanes that are deleted is there too.
--
-- A page's end is an event's place in the account's list, and a lane of it ("": all of them are done). Jobs of one event come in the order of its lanes.
-- What is older than events are listed for is in the lanes' histories only, if it failed: older is from when on, where the account is as old as that.

local LANES = 50 -- of an event cost as much as another event
local key, ends = base .. 'events:' .. account, math.max(now - EVENTS_TTL, 0)
local till = int(math.max(since_ms, ends))
local from = after and after.id or until_ms < math.huge and int(until_ms) or '+'
if after and after.lane == '' then from = '(' .. from end
local last = after

-- take_lanes adds the jobs of an event. It returns false where the page is full and there are more.
local function take_lanes(id, job, lanes, states)
  local at = 0
  local done = after and after.id == id and state_at(lanes, after.lane) or 0
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
      if e[1] == account and e[2] and e[3] and came_when_wanted(e[4]) and not take_lanes(id, job, e[2], e[3]) then
        next_place = last
        break
      end
    end
    last = { id = id, lane = '', job = '' }
  end
end
if not next_place and since_ms < ends and (tonumber(call('HGET', base .. 'account:' .. account, 'c')) or 0) < ends then
  older = int(math.min(ends, last and time_of(last.id) or ends, until_ms + 1))
end

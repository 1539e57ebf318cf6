-- accept: claims events and queues them, in one step: an event that is known from then on is in the queue.
--
-- KEYS[1] the receiver's tag, see lib.lua of internal/queue
-- ARGV[10] lane, then for each event: what its keys are to hold, "d" and the claim's value ("" for an event without an identity),
--   its two keys, ms to remember it, job, payload with the mark of an event with one lane before it
-- Returns one character for each event: "0" queued, "1" in work elsewhere, "2" known before, "3" the queue is full.
--
-- Safe to repeat: a claim whose answer was lost finds its own value; its job, where that is there, is not queued again.

local PER_EVENT = 6
local lane = ARGV[10]
local key, conf = base .. 'lane:' .. lane, base .. 'conf:' .. lane
local length = call('ZCARD', key)
local room = C.pending - length

-- A lane that is due already has its place among the ready ones. Where attempts are under way nobody has to be woken for it either:
-- whoever ends one looks for more. Now and then they are all the same, for those who missed it.
local turn = length > 0 and call('ZSCORE', base .. 'ready', lane)
local known = is_ready(turn)
local tended = known and call('ZCARD', base .. 'leases') > 0 and tonumber(time[2]) % 8 > 0
if not known and call('EXISTS', conf) == 0 then
  call('HSET', conf, 'st', 'active', 'fix', '1', 'w', '1000000', 'fl', '0') -- the app's own limits count, not a window
end

-- stored reports whether the call was made before, for this event, to its end: payloads are written last.
local function stored(body) return call('EXISTS', body) == 1 end

local answers, due, payloads, fresh, due_now = {}, {}, {}, 0, int(now)
for at = 11, #ARGV, PER_EVENT do
  local held, job = ARGV[at], ARGV[at + 4]
  local body, answer, again = base .. 'body:' .. job, '0', held == ''
  if room > 0 then
    if held ~= '' then answer, again = take_keys(ARGV[at + 1], ARGV[at + 2], held, ARGV[at + 3]) end
  elseif not stored(body) then
    -- A copy of a known event needs no room.
    local found = held ~= '' and (call('GET', ARGV[at + 1]) or call('GET', ARGV[at + 2]))
    answer = found and verdict(found) or '3'
  else
    again = true
  end
  -- An event whose keys were free was not stored before, so only others are looked for.
  if answer == '0' and not (again and stored(body)) then
    local n = 2 * fresh
    due[n + 1], due[n + 2] = due_now, job
    payloads[n + 1], payloads[n + 2] = body, ARGV[at + 5]
    fresh, room = fresh + 1, room - 1
  end
  answers[#answers + 1] = answer
end
if fresh > 0 then
  if length == 0 then call('ZADD', base .. 'ages', 'NX', int(next_look()), lane) end
  call('ZADD', key, unpack(due))
  call('MSET', unpack(payloads))
  if not known then
    local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap')
    offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), 0)
  end
  waiting(fresh)
  if not tended then wake() end
end
return table.concat(answers)

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

-- A lane that is due already is known to everybody who delivers: it needs no place among the ready ones, and nobody to be woken.
local turn = length > 0 and call('ZSCORE', base .. 'ready', lane)
local known = turn and tonumber(turn) <= now
if not known and call('EXISTS', conf) == 0 then
  call('HSET', conf, 'st', 'active', 'fix', '1', 'w', '1000000', 'fl', '0') -- the app's own limits count, not a window
end

local answers, bodies, count = {}, {}, 0
for at = 11, #ARGV, PER_EVENT do
  count = count + 1
  bodies[count] = base .. 'body:' .. ARGV[at + 4]
end
local repeated = call('EXISTS', unpack(bodies)) > 0 -- by their payloads, which are written last

local due, stored, fresh, due_now = {}, {}, 0, int(now)
for i = 1, count do
  local at = 11 + (i - 1) * PER_EVENT
  local held, answer = ARGV[at], '0'
  if not repeated or call('EXISTS', bodies[i]) == 0 then
    if room <= 0 then
      -- A copy of a known event needs no room.
      local found = held ~= '' and (call('GET', ARGV[at + 1]) or call('GET', ARGV[at + 2]))
      answer = found and verdict(found) or '3'
    elseif held ~= '' then
      answer = take_keys(ARGV[at + 1], ARGV[at + 2], held, ARGV[at + 3])
    end
    if answer == '0' then
      local n = 2 * fresh
      due[n + 1], due[n + 2] = due_now, ARGV[at + 4]
      stored[n + 1], stored[n + 2] = bodies[i], ARGV[at + 5]
      fresh, room = fresh + 1, room - 1
    end
  end
  answers[i] = answer
end
if fresh > 0 then
  if length == 0 then call('ZADD', base .. 'ages', 'NX', int(next_look()), lane) end
  call('ZADD', key, unpack(due))
  call('MSET', unpack(stored))
  if not known then
    local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap')
    offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), 0)
  end
  waiting(fresh)
  if not known then wake() end
end
return table.concat(answers)

-- accept: claims events and queues them, in one step: an event that is known from then on is in the queue.
--
-- KEYS[1] the receiver's tag, see lib.lua of internal/queue
-- ARGV[10] lane, then for each request: its job, its payload with the mark of an event with one lane before it, ms to remember its
--   events, how many of them are claimed, none where it has no identity, and for each of those what its keys are to hold,
--   "d" and the claim's value, and its two keys
-- Returns one character for each request: "0" queued, "1" an event of it is in work elsewhere, "2" all are known, "3" the queue is full.
--
-- Safe to repeat: a claim whose answer was lost finds its own value; its job, where that is there, is not queued again.

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

-- stored reports whether the call was made before, for this request, to its end: payloads are written last.
local function stored(body) return call('EXISTS', body) == 1 end

-- claim takes the keys of the request's n events, whose arguments begin at first. Returns "0" where one is new and none in work, and
-- true where some were ours already.
local function claim(first, n, px)
  local answer, again, taken = n == 0 and '0' or '2', n == 0, {}
  for at = first, first + 3 * n - 1, 3 do
    local found, ours = take_keys(ARGV[at + 1], ARGV[at + 2], ARGV[at], px)
    if found == '0' then
      answer, again, taken[#taken + 1] = '0', again or ours, at
    elseif found == '1' then
      for _, mine in ipairs(taken) do
        for k = mine + 1, mine + 2 do
          if call('GET', ARGV[k]) == ARGV[mine] then call('DEL', ARGV[k]) end
        end
      end
      return '1', false
    end
  end
  return answer, again
end

-- seen is claim for a full queue, where a copy of known events needs no room: it takes nothing.
local function seen(first, n)
  for at = first, first + 3 * n - 1, 3 do
    local found = verdict_on(ARGV[at + 1], ARGV[at + 2], ARGV[at])
    if found ~= '2' then return found or '3' end
  end
  return n > 0 and '2' or '3'
end

local answers, due, payloads, fresh, due_now, at = {}, {}, {}, 0, int(now), 11
while at <= #ARGV do
  local job, n = ARGV[at], tonumber(ARGV[at + 3])
  local body, answer, again = base .. 'body:' .. job, '0', true
  if room > 0 then
    answer, again = claim(at + 4, n, ARGV[at + 2])
  elseif not stored(body) then
    answer = seen(at + 4, n)
  end
  -- A request whose keys were free was not stored before, so only others are looked for.
  if answer == '0' and not (again and stored(body)) then
    local k = 2 * fresh
    due[k + 1], due[k + 2] = due_now, job
    payloads[k + 1], payloads[k + 2] = body, ARGV[at + 1]
    fresh, room = fresh + 1, room - 1
  end
  answers[#answers + 1] = answer
  at = at + 4 + 3 * n
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

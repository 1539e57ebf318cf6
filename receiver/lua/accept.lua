-- accept: claims events and queues them, in one step: an event that is known from then on is in the queue.
--
-- KEYS[1] the receiver's tag, see lib.lua of internal/queue
-- ARGV[10] lane, ARGV[11] what keys of payloads beside are named after, see push.lua, ARGV[12…] for each request: its payload with the mark of an
--   event with one lane before it ("": it was put beside before this call, into put:<that name>:<place of the request>), ms to remember its
--   events, how many apps it goes to and, after a space, how many of its events are claimed, none where it has no identity; for each app the
--   tag of its queue, in the receiver's slot, and the job; for each claim what its keys are to hold, "d" and the claim's value, and its two keys
-- Returns one character for each request: "0" queued, "1" an event of it is in work elsewhere, "2" all are known, "3" the queues of all its apps are full,
--   "4" its payload, put beside, is not there: nothing was done.
--
-- Where the queues of some apps are full, the request is dead for those, with the reason backlog: one app that is down holds no other.
--
-- Safe to repeat: a claim whose answer was lost finds its own value; its job, where that is there, is not queued again.

local lane, name = ARGV[10], ARGV[11]
local queues = {} -- by tag
local root = string.match(KEYS[1], '^%b{}:')

-- queue_of makes a queue the one that the library's functions work on, and says how it stands.
local function queue_of(tag)
  base = tag
  local q = queues[tag]
  if q then return q end
  q = { due = {}, payloads = {}, copies = {}, fresh = 0, conf = base .. 'conf:' .. lane, length = call('ZCARD', base .. 'lane:' .. lane) }
  q.room = C.pending - q.length
  -- A lane that is due already has its place among the ready ones. Where attempts are under way nobody has to be woken for it
  -- either: whoever ends one looks for more. Now and then they are all the same, for those who missed it.
  q.ready = is_ready(q.length > 0 and call('ZSCORE', base .. 'ready', lane))
  q.tended = q.ready and call('ZCARD', base .. 'leases') > 0 and tonumber(time[2]) % 8 > 0
  if not q.ready and call('EXISTS', q.conf) == 0 then
    make_lane(lane, root)
  end
  queues[tag] = q
  return q
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

local moved, unused = {}, {} -- payloads beside -> where they go, and those that nobody took

-- keep stores the payload of a queue's job at the end of the call. One that is beside is copied for all queues but the request's first.
local function keep(q, body, payload, put, is_first)
  if not put then
    local k = #q.payloads
    q.payloads[k + 1], q.payloads[k + 2] = body, payload
    return
  end
  if is_first then
    moved[put], unused[put] = body, nil
  else
    q.copies[body] = put
  end
  if not q.large then
    q.large = true
    call('HSET', q.conf, 'lp', '1') -- see claim.lua
  end
end

local answers, due_now = {}, int(now)
local at = 12
local place = 0 -- of the request
while at <= #ARGV do
  local payload, px, shape, first = ARGV[at], ARGV[at + 1], ARGV[at + 2], at + 3
  local apps, n = 1, 1 -- of nearly all
  if shape ~= '1 1' then
    local a, b = string.match(shape, '^(%d+) (%d+)$')
    apps, n = tonumber(a), tonumber(b)
  end
  local claims = first + 2 * apps
  local room = queue_of(ARGV[first]).room
  for i = first + 2, claims - 1, 2 do room = math.max(room, queue_of(ARGV[i]).room) end
  local answer, again = '0', true
  place = place + 1
  local put = payload == '' and KEYS[1] .. 'put:' .. name .. ':' .. place
  if put then unused[put] = true end
  local there = ARGV[first] .. 'body:' .. ARGV[first + 1]
  if put and call('EXISTS', put) == 0 and not stored(there) then
    answer = '4'
  elseif room <= 0 then
    if not stored(there) then answer = seen(claims, n) end
  elseif n == 1 then
    answer, again = take_keys(ARGV[claims + 1], ARGV[claims + 2], ARGV[claims], px)
  else
    answer, again = claim(claims, n, px)
  end
  -- A request whose keys were free was not stored before, so only others are looked for.
  if answer == '0' and not (again and stored(there)) then
    for i = first, claims - 1, 2 do
      local q, job = queue_of(ARGV[i]), ARGV[i + 1]
      if q.room > 0 then
        local due, k = q.due, 2 * q.fresh
        due[k + 1], due[k + 2] = due_now, job
        q.fresh, q.room = q.fresh + 1, q.room - 1
        keep(q, i == first and there or base .. 'body:' .. job, payload, put, i == first)
      else
        local body = base .. 'body:' .. job
        if put then call('COPY', put, body) else call('SET', body, payload) end
        call('PEXPIRE', body, C.kept_dead)
        bury_in(lane, job, 'backlog', 0)
      end
    end
  end
  answers[#answers + 1] = answer
  at = claims + 3 * n
end
for tag, q in pairs(queues) do
  if q.fresh > 0 then
    base = tag
    if q.length == 0 then call('ZADD', base .. 'ages', 'NX', int(next_look()), lane) end
    call('ZADD', base .. 'lane:' .. lane, unpack(q.due))
    if #q.payloads > 0 then call('MSET', unpack(q.payloads)) end
    for body, put in pairs(q.copies) do
      call('COPY', put, body)
      call('PERSIST', body)
    end
    if not q.ready then
      local h = call('HMGET', q.conf, 'st', 'fl', 'w', 'cap')
      offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), nil, 0)
    end
    waiting(q.fresh)
    if not q.tended then wake() end
  end
end
for put, body in pairs(moved) do -- behind all copies of them
  call('RENAME', put, body)
  call('PERSIST', body)
end
for put in pairs(unused) do call('UNLINK', put) end
return table.concat(answers)

-- accept: claims the events of requests and queues the requests, in one step: an event that is claimed is in the queue.
--
-- KEYS[1] the tag of one of the receiver's queues, see lib.lua of internal/queue. It begins with the receiver's tag.
-- ARGV[10] lane, ARGV[11] the name of this call in the keys of large payloads (put:<name>:<place of the request, from 1>, see push.lua), ARGV[12…] for
--   each request: its payload, after the mark of an event with one lane ("" where it was put under such a key before this call); ms to remember
--   its events; the number of apps it goes to, a space, and the number of its events to claim (0 where the request has no identity); for each
--   app the tag of its queue, in the receiver's slot, and the job; and for each claim what its keys are to hold, which is "d" and the claim's
--   value (see keys.lua), and its two keys
-- Returns one character for each request: "0" it is queued, "1" somebody else has one of its events in work, "2" all its events were done before,
--   "3" the queues of all its apps are full, "4" its payload is not under its key, and nothing was done.
--
-- Where the queues of some of the apps are full, the request is kept as dead in those, with the reason backlog: an app that is down does not
-- hold up the others.
-- Safe to repeat: a claim whose answer was lost finds its own value, and a job whose payload is there is not queued again.

local lane, call_name = ARGV[10], ARGV[11]
local queues = {} -- by tag
local root = string.match(KEYS[1], '^%b{}:')

-- queue_of has the functions of lib.lua work on a queue, by its tag, and returns what is known of the queue.
local function queue_of(tag)
  base = tag
  local q = queues[tag]
  if q then return q end
  q = { due = {}, payloads = {}, copies = {}, fresh = 0, conf = base .. 'conf:' .. lane, length = call('ZCARD', base .. 'lane:' .. lane) }
  q.room = C.pending - q.length
  -- A lane that is due already keeps its place in ready. While attempts are under way nobody has to be woken for it either: whoever ends
  -- one claims again. One call of eight or so, by the microsecond, wakes the dispatchers nevertheless, for those that missed a wake.
  q.ready = is_ready(q.length > 0 and call('ZSCORE', base .. 'ready', lane))
  q.tended = q.ready and call('ZCARD', base .. 'leases') > 0 and tonumber(time[2]) % 8 > 0
  if not q.ready and call('EXISTS', q.conf) == 0 then
    make_lane(lane, root)
  end
  queues[tag] = q
  return q
end

-- stored reports whether an earlier call has queued the request: it writes payloads last.
local function stored(body) return call('EXISTS', body) == 1 end

-- claim takes the keys of a request's n events, whose arguments begin at first. It returns "0" where at least one event is new and none is in
-- work elsewhere, "2" where all were done before, or "1" where one is in work, and then the keys are free again; and true where the keys of a
-- new event were ours already.
local function claim(first, n, px)
  local answer, ours_already, taken = n == 0 and '0' or '2', n == 0, {}
  for at = first, first + 3 * n - 1, 3 do
    local found, ours = take_keys(ARGV[at + 1], ARGV[at + 2], ARGV[at], px)
    if found == '0' then
      answer, ours_already, taken[#taken + 1] = '0', ours_already or ours, at
    elseif found == '1' then
      for _, claim_at in ipairs(taken) do
        for k = claim_at + 1, claim_at + 2 do
          if call('GET', ARGV[k]) == ARGV[claim_at] then call('DEL', ARGV[k]) end
        end
      end
      return '1', false
    end
  end
  return answer, ours_already
end

-- verdict_when_full is claim for full queues. It takes no keys, and returns "3" where an event is new: a request whose events were all done before needs no room.
local function verdict_when_full(first, n)
  for at = first, first + 3 * n - 1, 3 do
    local found = verdict_on(ARGV[at + 1], ARGV[at + 2], ARGV[at])
    if found ~= '2' then return found or '3' end
  end
  return n > 0 and '2' or '3'
end

local moved, unused = {}, {} -- keys of large payloads: those to rename, each with its new key, and those that no queue has taken

-- keep has the payload of a queue's job stored at the end of the call. A large one is renamed for the first queue of the request, and copied for the others.
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
local place = 0 -- of the request, from 1
while at <= #ARGV do
  local payload, px, counts, first = ARGV[at], ARGV[at + 1], ARGV[at + 2], at + 3
  local apps, n = 1, 1 -- as nearly every request has
  if counts ~= '1 1' then
    local apps_text, claims_text = string.match(counts, '^(%d+) (%d+)$')
    apps, n = tonumber(apps_text), tonumber(claims_text)
  end
  local claims = first + 2 * apps
  local room = queue_of(ARGV[first]).room
  for i = first + 2, claims - 1, 2 do room = math.max(room, queue_of(ARGV[i]).room) end
  local answer, ours_already = '0', true
  place = place + 1
  local put = payload == '' and KEYS[1] .. 'put:' .. call_name .. ':' .. place
  if put then unused[put] = true end
  local first_body = ARGV[first] .. 'body:' .. ARGV[first + 1]
  if put and call('EXISTS', put) == 0 and not stored(first_body) then
    answer = '4'
  elseif room <= 0 then
    if not stored(first_body) then answer = verdict_when_full(claims, n) end
  elseif n == 1 then
    answer, ours_already = take_keys(ARGV[claims + 1], ARGV[claims + 2], ARGV[claims], px)
  else
    answer, ours_already = claim(claims, n, px)
  end
  -- A request whose keys were free was not stored before, so the store is asked only for others.
  if answer == '0' and not (ours_already and stored(first_body)) then
    for i = first, claims - 1, 2 do
      local q, job = queue_of(ARGV[i]), ARGV[i + 1]
      if q.room > 0 then
        local due, k = q.due, 2 * q.fresh
        due[k + 1], due[k + 2] = due_now, job
        q.fresh, q.room = q.fresh + 1, q.room - 1
        keep(q, i == first and first_body or base .. 'body:' .. job, payload, put, i == first)
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
    count_waiting(q.fresh)
    if not q.tended then wake() end
  end
end
for put, body in pairs(moved) do -- after they have been copied
  call('RENAME', put, body)
  call('PERSIST', body)
end
for put in pairs(unused) do call('UNLINK', put) end
return table.concat(answers)

-- push: takes events in: recognises repeated IDs, finds the lanes, and queues a job in each. One atomic step, so an
-- event that is answered for is queued, and one that is not answered for is not remembered either.
--
-- KEYS[1] the shard
-- ARGV[10] number of events, then for each:
--   account, ID, own ("1": the ID was made for this call, so nobody can have used it), the job that an ID of our own
--   form stands for (or ""), job, type, timestamp, given ("1": the publisher gave the timestamp), digest,
--   lane ("", the only lane it goes to, or "!" and a lane that doesn't get it), topics (joined by spaces), payload
-- Returns for each event that it came to (all, or as many as MOST_WRITES allow, one at least): outcome, job, timestamp, lanes, and of these the ones in which it failed at once, as <lane>:<reason> (both
--   joined by spaces).
--   outcome "new", "same" (the first answer again), "other" (the ID stands for another event), "taken" (job exists: call again with another)
--
-- Safe to repeat: a second call with the same ID finds the first one's event.

local PER_EVENT = 12
local MOST_WRITES = 2000 -- of one call, see lib.lua. The events after that are for the next one; one event goes to all its lanes in one step
local open_ttl = ARGV[9] -- as text, see int
local reply, waited, woken, written = {}, 0, false, 0

-- known returns the event's record where the ID was used before in this account.
local function known(account, id, own_job)
  local job = call('GET', base .. 'id:' .. account .. ':' .. id)
  local e
  if job then
    e = call('HMGET', base .. 'event:' .. job, 'a', 'h', 't', 'l', 'i')
  elseif own_job ~= '' then
    job = own_job
    e = call('HMGET', base .. 'event:' .. job, 'a', 'h', 't', 'l', 'i')
    if e[5] then return nil end -- that job belongs to an event with another ID
  end
  if e and e[1] == account then return job, e end
  return nil
end

-- What is found out once in a call: lanes by topics, and how each lane stands.
local subscribed, standing = {}, {}

local function subscribers(topics)
  if not subscribed[topics] then
    local keys = {}
    for topic in string.gmatch(topics, '%S+') do keys[#keys + 1] = base .. 'topic:' .. topic end
    local to = #keys > 0 and call('SUNION', unpack(keys)) or {}
    if #to > 1 then table.sort(to) end
    subscribed[topics] = to
  end
  return subscribed[topics]
end

local function stand(lane)
  local s = standing[lane]
  if not s then
    local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'hu')
    s = { status = h[1], place = int(math.max(now, tonumber(h[5]) or 0)), waiting = call('ZCARD', base .. 'lane:' .. lane) }
    s.ready = served(h[1]) and (tonumber(h[2]) or 0) < window_of(h[3], h[4])
    standing[lane] = s
  end
  return s
end

local places = {} -- in ready, of lanes that the event gives the first job that can be served

-- queue puts one job into one lane. Where that takes none, it returns why, and whether it keeps the job as failed.
local function queue(lane, job)
  local s = stand(lane)
  if not s.status or s.status == 'deleted' then -- it went while the event was on its way
    cancel_in(lane, job)
    return 'gone', false
  end
  note(lane, job)
  if s.status == 'disabled' then
    return 'disabled', bury_in(lane, job, 'disabled', 0)
  end
  if s.waiting >= C.pending then
    return 'backlog', bury_in(lane, job, 'backlog', 0)
  end
  s.waiting = s.waiting + 1
  call('ZADD', base .. 'lane:' .. lane, now_text, job)
  if s.ready then
    s.ready = false -- it is, from now on
    places[#places + 1] = s.place
    places[#places + 1] = lane
  end
end

-- cost is how many writes an event costs at most, by the lanes that it goes to.
local function cost(to)
  local sum = 10
  for _, lane in ipairs(to) do
    local s = stand(lane)
    sum = sum + ((s.status == 'disabled' or s.waiting >= C.pending) and 14 or 2)
  end
  return sum
end

-- look_at_new has those lanes looked at that have had nothing to wait for too long.
local function look_at_new(to)
  local looks, tick = {}, int(next_look())
  for _, lane in ipairs(to) do
    local s = stand(lane)
    if s.waiting == 0 and s.status and s.status ~= 'deleted' then
      looks[#looks + 1] = tick
      looks[#looks + 1] = lane
    end
  end
  for i = 1, #looks, 2000 do call('ZADD', base .. 'ages', 'LT', unpack(looks, i, math.min(i + 1999, #looks))) end
end

-- offer_lanes puts those into ready that were not: at last, see lib.lua, and in few commands.
local function offer_lanes()
  for i = 1, #places, 2000 do
    local changed = call('ZADD', base .. 'ready', 'LT', 'CH', unpack(places, i, math.min(i + 1999, #places)))
    woken = woken or changed > 0
  end
  places = {}
end

for i = 1, tonumber(ARGV[10]) do
  local at = 10 + (i - 1) * PER_EVENT
  local account, id, own, own_job, job = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local kind, timestamp, given, digest = ARGV[at + 6], ARGV[at + 7], ARGV[at + 8], ARGV[at + 9]
  local outcome, lanes, refused = 'new', '', ''
  local seen, e
  if own ~= '1' then seen, e = known(account, id, own_job) end
  if seen then
    -- The job of this very call: the client lost the answer and made the call again.
    outcome, job, lanes = seen == job and 'new' or 'same', seen, e[4] or ''
    if e[2] ~= digest or (given == '1' and e[3] ~= timestamp) then outcome = 'other' end
    timestamp = e[3]
    -- A write, for WAIT waits for the replicas to have the writes of its own connection only, and answers at once where there
    -- are none: the first answer may have failed for want of replicas. This one needs no memory, which a full Redis has not.
    local left = call('PTTL', base .. 'event:' .. job)
    if left > 0 then call('PEXPIRE', base .. 'event:' .. job, left) end
  else
    local to
    local lane = ARGV[at + 10]
    if lane ~= '' and string.sub(lane, 1, 1) ~= '!' then
      to = { lane }
    else
      to = {}
      for _, name in ipairs(subscribers(ARGV[at + 11])) do
        if '!' .. name ~= lane then to[#to + 1] = name end
      end
    end
    local writes = cost(to)
    if written > 0 and written + writes > MOST_WRITES then break end
    written = written + writes
    local there = call('HMGET', base .. 'event:' .. job, 'a', 'h', 't', 'l', 'i')
    if own == '1' and there[1] == account and there[2] == digest and not there[5] then
      -- As above. Another job would be a second event.
      timestamp, lanes = there[3], there[4] or ''
    elseif there[1] then
      outcome = 'taken'
    else
      lanes = table.concat(to, ' ')
      local record, body, ttl = base .. 'event:' .. job, base .. 'body:' .. job, math.max(C.id_ttl, C.open_ttl)
      if #to > 0 then call('SET', body, (#to == 1 and '1' or '+') .. ARGV[at + 12], 'PX', open_ttl) end
      -- Before the lanes: a full one may drop a failed job, and with many of them this one.
      local fields = {
        'a', account, 'y', kind, 't', timestamp, 'h', digest, 'l', lanes, 'c', now_text, 's', string.rep(STATE.pending, #to),
      }
      if #to > 1 then for _, v in ipairs({ 'o', int(#to), 'd', '0' }) do fields[#fields + 1] = v end end
      local named = own ~= '1' and own_job ~= job
      if named then fields[#fields + 1] = 'i'; fields[#fields + 1] = id end
      call('HSET', record, unpack(fields))
      look_at_new(to)
      local open, dead, states = 0, 0, {}
      for k, lane in ipairs(to) do
        local why, kept = queue(lane, job)
        states[k] = not why and STATE.pending or why == 'gone' and STATE.cancelled or STATE.failed
        if kept then dead = dead + 1 end
        if not why then
          open = open + 1
        elseif why ~= 'gone' then
          refused = refused .. lane .. ':' .. why .. ' '
        end
      end
      -- After the lanes, see lib.lua: an ID that is known must not stand for an event that was queued nowhere.
      if named then call('SET', base .. 'id:' .. account .. ':' .. id, job, 'PX', ttl) end
      offer_lanes()
      waited = waited + open
      if open < #to then call('HSET', record, 's', table.concat(states)) end
      if #to > 1 and open < #to then
        call('HINCRBY', record, 'o', open - #to)
        dead = call('HINCRBY', record, 'd', dead)
      end
      if open == 0 then
        ttl = dead > 0 and C.kept_dead or C.kept
        call('PEXPIRE', body, ttl)
        ttl = math.max(C.id_ttl, ttl)
      end
      call('PEXPIRE', record, int(ttl))
    end
  end
  reply[#reply + 1] = outcome
  reply[#reply + 1] = job
  reply[#reply + 1] = timestamp
  reply[#reply + 1] = lanes
  reply[#reply + 1] = refused
end

waiting(waited)
if woken then wake() end
return reply

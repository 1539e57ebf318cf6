-- push: publishes events. It recognises repeated IDs, finds the lanes that an event goes to, and queues a job in each. An event with many lanes takes several
-- calls, so that none occupies Redis for long: the first writes down which lanes the event goes to, and each says, in the step in which it queues jobs,
-- where the next one goes on. So anybody can go on with it, and no lane is left out or gets a job twice.
--
-- KEYS[1] the shard's tag
-- ARGV[10] number of events, ARGV[11] how many lanes this call may queue jobs in, ARGV[12] how many jobs may wait in an account, ARGV[13] the name of this
--   call in the keys of large payloads, ARGV[14…] for each event these fourteen arguments:
--   account, ID, own ("1": the ID was made for this call, so nobody can have used it before; "on": the call is to go on with an event, by its job),
--   the job that the ID stands for where it has the form of our own (otherwise ""), job, type, timestamp, given ("1": the publisher gave the timestamp;
--   with "on": ms within which nobody else may have gone on with the event), digest, lane, topics (joined by spaces; used where lane is ""), the job of
--   another event with these topics that went to many lanes (or ""), verdicts of the filters of its lanes (a signature and a letter for each, or "*": none of
--   the filters keeps the event out), and payload.
--   lane is the only lane that the event goes to, or "". A notice has behind that "!" and the lane that it tells of, which does not get it.
--   A payload of "" was put under put:<name of the call>:<place of the event, from 1>, after "1", before this call; it expires soon.
-- Returns for each event that it came to (all, or as many as the lanes of one call allow, at least one): outcome, job, timestamp, lanes, those of the lanes in
--   which it failed at once in this call, as <lane>:<reason> (both lists joined by spaces), and "1" where it is not queued in all of its lanes yet.
--   The outcome is "new", "same" (the ID was used for the same event, and this is the first answer again), "other" (the ID was used for another event),
--   "taken" (the job exists: call again with another one), "ending" (the account is being deleted), "gone" (the lane that it tells of was deleted), "busy"
--   (somebody has just gone on with it), "asked" (other filters decide than those whose verdicts came: lanes is the signature of these, the next member
--   lists them as #<version>:<lane>, unless this answer has the list already; nothing was done), "unsaved" (the payload is not under its key; nothing was
--   done), or "later" (an event of the same account before it was asked, unsaved or taken, and must not be overtaken; nothing was done)
--
-- Safe to repeat: a second call with the same ID finds the event of the first one, and how far it has come.
-- A large payload becomes that of its event in the step that queues the event, before the jobs. Its key belongs to this call alone, so no other event and no
-- repetition can have it. A payload that no event has taken is removed at the end of the call, and expires where the call is never made.

local PER_EVENT = 14
-- The next call goes on behind the lanes of this one, see lib.lua. A lane that refuses a job and keeps it as failed counts as REFUSAL lanes, as that is 14
-- writes instead of 2. FINDS lanes that are only found, without a job, count as one. FEW lanes are sorted, and are not worth remembering for other events.
local MOST_LANES, REFUSAL, FINDS, FEW = tonumber(ARGV[11]), 7, 50, 64
local COUNT, MOST_WAITING, puts = tonumber(ARGV[10]), tonumber(ARGV[12]), ARGV[13]
local open_ttl = ARGV[9] -- C.open_ttl as text, see int
local reply, waited, woken, used, draining = {}, 0, false, 0, false

-- find_by_id returns the job for which an ID was used before in this account, and fields of its event; nil where it was not.
local function find_by_id(account, id, own_job)
  local job = call('GET', base .. 'id:' .. account .. ':' .. id)
  local e
  if job then
    e = call('HMGET', base .. 'event:' .. job, 'a', 'h', 't', 'l', 'i', 'p')
  elseif own_job ~= '' then
    job = own_job
    e = call('HMGET', base .. 'event:' .. job, 'a', 'h', 't', 'l', 'i', 'p')
    if e[5] then return nil end -- that job belongs to an event with another ID
  end
  if e and e[1] == account then return job, e end
  return nil
end

-- subscriptions_version returns a number that changes with every subscription in the shard.
local function subscriptions_version() return call('HGET', base .. 'stats', 'subscriptions') or '0' end

-- What one call reads only once: the lanes of topics, and the state of each lane.
local subscribed, states_of_lanes = {}, {}

-- part_filtered divides lanes into those without a filter and those with one, which it puts into filters, in the order in which signature and asks are about
-- them.
local function part_filtered(to, found)
  local plain, filtered = {}, {}
  for _, member in ipairs(found) do
    local part = string.byte(member) == 35 and filtered or plain -- #
    part[#part + 1] = member
  end
  table.sort(filtered)
  to.asks = table.concat(filtered, ' ')
  to.signature = redis.sha1hex(to.asks)
  for k, member in ipairs(filtered) do filtered[k] = string.match(member, ':(.*)$') end
  to.lanes, to.count, to.filters = table.concat(plain, ' '), #plain, filtered
end

-- subscribers returns the lanes that subscribe to any of the topics. To find many takes as long as to queue jobs in some of them. So it copies those of
-- another event with the same topics, if no subscription in the shard has changed since.
local function subscribers(topics, like)
  if subscribed[topics] then return subscribed[topics] end
  local to = { lanes = '', count = 0, signature = '' }
  subscribed[topics] = to
  if like ~= '' then
    local e = call('HMGET', base .. 'event:' .. like, 'l', 's', 'v')
    if e[1] and e[2] and e[3] == subscriptions_version() then
      to.lanes, to.count = e[1], #e[2]
      return to
    end
  end
  local keys = {}
  for topic in string.gmatch(topics, '%S+') do keys[#keys + 1] = base .. 'topic:' .. topic end
  local found = #keys > 0 and call('SUNION', unpack(keys)) or {}
  if #found > 1 and #found <= FEW then table.sort(found) end
  used = used + math.floor(#found / FINDS)
  to.lanes, to.count = table.concat(found, ' '), #found
  if string.find(to.lanes, '#', 1, true) then part_filtered(to, found) end
  return to
end

-- state_of returns what is known of a lane, and reads it at the first call.
local function state_of(lane)
  local s = states_of_lanes[lane]
  if not s then
    local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'hu', 'a', 'ord', 'os', 'lp')
    s = { status = h[1], account = h[6], large = h[9] == '1', place = int(math.max(now, tonumber(h[5]) or 0)), waiting = call('ZCARD', base .. 'lane:' .. lane) }
    s.ready = is_served(h[1]) and (tonumber(h[2]) or 0) < window_of(h[3], h[4])
    -- Jobs that wait in an ordered lane wait for the head, which has put the lane into ready if that can be served.
    if ordered_by(h[7]) then s.last, s.ready = h[8] or '0', s.ready and s.waiting == 0 end
    states_of_lanes[lane] = s
  end
  return s
end

local waited_before, came = {}, {} -- by account: how many jobs waited before this call, and how many it has queued

-- refuses returns the reason for which a lane takes no job, nil where it takes one.
local function refuses(s)
  if s.status == 'disabled' then return 'disabled' end
  if s.waiting >= C.pending then return 'backlog' end
  if s.waiting > ROOM and s.account then
    waited_before[s.account] = waited_before[s.account] or tonumber(call('HGET', base .. 'pending', s.account) or 0)
    if waited_before[s.account] + (came[s.account] or 0) >= MOST_WAITING then return 'backlog' end
  end
end

local places = {} -- turns and lanes to put into ready, as the event's job is the first there that can be served

local large = false -- whether the event's payload was put under a key of its own

-- queue queues a job in a lane. Where the lane takes none, it returns the reason, and whether the lane keeps the job as failed.
local function queue(lane, job)
  local s = state_of(lane)
  if not s.status or s.status == 'deleted' then -- it was deleted after the event's lanes were found
    cancel_in(lane, job)
    return 'gone', false
  end
  add_to_history(lane, job)
  local why = refuses(s)
  if why then return why, bury_in(lane, job, why, 0) end
  s.waiting = s.waiting + 1
  add_waiting(came, s.account, 1)
  local place = now_text
  if s.last then
    s.last = next_place(s.last)
    place = place_text(s.last)
    call('HSET', base .. 'conf:' .. lane, 'os', place)
  end
  if large and not s.large then
    s.large = true
    call('HSET', base .. 'conf:' .. lane, 'lp', '1')
  end
  call('ZADD', base .. 'lane:' .. lane, place, job)
  if s.ready then
    s.ready = false -- it will be in ready, so it is not put there again
    places[#places + 1] = s.place
    places[#places + 1] = lane
  end
end

local tick = int(next_look())

-- look_at_new schedules looks at lanes in which nothing has waited, as no look at them is scheduled yet.
local function look_at_new(to)
  local looks = {}
  for _, lane in ipairs(to) do
    local s = state_of(lane)
    if s.waiting == 0 and s.status and s.status ~= 'deleted' then
      looks[#looks + 1] = tick
      looks[#looks + 1] = lane
    end
  end
  for i = 1, #looks, 2000 do call('ZADD', base .. 'ages', 'LT', unpack(looks, i, math.min(i + 1999, #looks))) end
end

-- offer_lanes puts the lanes of places into ready, in few commands. It comes after their jobs are queued: see the end of lib.lua's head.
local function offer_lanes()
  for i = 1, #places, 2000 do
    local changed = call('ZADD', base .. 'ready', 'LT', 'CH', unpack(places, i, math.min(i + 1999, #places)))
    woken = woken or changed > 0
  end
  places = {}
end

-- queue_in_single is fan_out for an event with one lane, as most have: it does the same without lists.
local function queue_in_single(job, lane)
  local s = state_of(lane)
  if s.waiting == 0 and s.status and s.status ~= 'deleted' then call('ZADD', base .. 'ages', 'LT', tick, lane) end
  used = used + (refuses(s) and REFUSAL or 1)
  local why, kept = queue(lane, job)
  if not why then
    waited = waited + 1
    return STATE.pending, 1, 0, ''
  end
  if why == 'gone' then return STATE.cancelled, 0, 0, '' end
  return STATE.failed, 0, kept and 1 or 0, lane .. ':' .. why .. ' '
end

-- fan_out queues a job in its lanes, from a byte of their list on, for as many as this call may. It returns the states of the job in these, the number of
-- those that take it, the number of those that keep it as failed, those that refuse it, and the byte at which the next call goes on, nil for none.
local function fan_out(job, lanes, from)
  if from == 1 and lanes ~= '' and not string.find(lanes, ' ', 1, true) then return queue_in_single(job, lanes) end
  local part, states, open, dead, refused = {}, {}, 0, 0, ''
  local rest
  for at, lane in string.gmatch(string.sub(lanes, from), '()(%S+)') do
    local s = state_of(lane)
    local costs = refuses(s) and REFUSAL or 1
    if #part > 0 and used + costs > MOST_LANES then
      rest = from + at - 1
      break
    end
    used = used + costs
    part[#part + 1] = lane
  end
  look_at_new(part)
  for k, lane in ipairs(part) do
    local why, kept = queue(lane, job)
    states[k] = not why and STATE.pending or why == 'gone' and STATE.cancelled or STATE.failed
    if kept then dead = dead + 1 end
    if not why then
      open = open + 1
    elseif why ~= 'gone' then
      refused = refused .. lane .. ':' .. why .. ' '
    end
  end
  waited = waited + open
  return table.concat(states), open, dead, refused, rest
end

-- go_on_at notes how many lanes of an event are done, and the byte of its lanes at which the next call goes on.
local function go_on_at(job, lane, byte)
  call('HSET', base .. 'event:' .. job, 'p', int(lane) .. ':' .. int(byte) .. ':' .. now_text)
end

-- count_off subtracts jobs that have ended from the open deliveries of an event. It returns how many are open, and how many are kept as failed.
local function count_off(job, ended, dead)
  local event = base .. 'event:' .. job
  return call('HINCRBY', event, 'o', -ended), call('HINCRBY', event, 'd', dead)
end

-- end_payload sets when a payload expires that no job waits for. It returns for how long its event is known.
local function end_payload(job, dead)
  local ttl = dead > 0 and C.kept_dead or C.kept
  call('PEXPIRE', base .. 'body:' .. job, ttl)
  return math.max(C.id_ttl, ttl)
end

-- go_on queues an event that was begun in its next lanes. It returns the lanes that refuse it, whether there are more, and the outcome.
local function go_on(job, idle)
  local event = base .. 'event:' .. job
  local e = call('HMGET', event, 'l', 's', 'p')
  local before, byte, last = string.match(e[3] or '', '^(%d+):(%d+):(%d+)$')
  if not before then
    call('SREM', base .. 'chores', 'fanout:' .. job) -- it is in all of its lanes, or not known any more
    return '', false, 'new'
  end
  if tonumber(idle) > 0 and now - tonumber(last) < tonumber(idle) then return '', true, 'busy' end
  write_when_full() -- an event that was begun is finished even where Redis is full
  draining = true
  local states, open, dead, refused, rest = fan_out(job, e[1], tonumber(byte))
  offer_lanes()
  local done = tonumber(before) + #states
  if open < #states then
    call('HSET', event, 's', string.sub(e[2], 1, tonumber(before)) .. states .. string.sub(e[2], done + 1))
    open, dead = count_off(job, #states - open, dead)
    if open == 0 then call('PEXPIRE', event, int(end_payload(job, dead))) end
  end
  if rest then
    go_on_at(job, done, rest)
  else
    call('HDEL', event, 'p')
    call('SREM', base .. 'chores', 'fanout:' .. job)
  end
  return refused, rest, 'new'
end

local listed = {} -- accounts with a new event

-- list adds an event to the list of its account, which expires with its last event. It returns the event's time in the list, which is to be when the event
-- was created; but where the clock went back, the list goes on with later times, and it returns the clock's. Our own accounts have no list.
local function list(account, job, kind)
  if not is_customers(account) then return now end
  local key = base .. 'events:' .. account
  local id
  if listed[account] then
    id = call('XADD', key, '*', 'j', job, 'y', kind)
  else
    id = call('XADD', key, 'MINID', '~', id_before(EVENTS_TTL), '*', 'j', job, 'y', kind)
    call('PEXPIRE', key, int(EVENTS_TTL + SWEEP))
    listed[account] = true
  end
  local time = time_of(id)
  return time < now + 1000 and time or now
end

-- begin stores a new event, and queues it in as many of its lanes as this call may. It returns the lanes that refuse it, and whether there are more.
local function begin(job, account, id, kind, timestamp, digest, lanes, count, filtered, payload, put, named, tells_of)
  local record, body, ttl = base .. 'event:' .. job, base .. 'body:' .. job, math.max(C.id_ttl, C.open_ttl)
  if count > 0 and not put then call('SET', body, (count == 1 and '1' or '+') .. payload, 'PX', open_ttl) end
  local created = list(account, job, kind)
  -- The record is written before the jobs: a lane that keeps too many failed jobs may drop this very one, and notes that on the event.
  local fields = {
    'a', account, 'y', kind, 't', timestamp, 'h', digest, 'l', lanes, 'c', int(created), 's', string.rep(STATE.pending, count),
  }
  if count > 1 then for _, v in ipairs({ 'o', int(count), 'd', '0' }) do fields[#fields + 1] = v end end
  if count > FEW and not filtered then for _, v in ipairs({ 'v', subscriptions_version() }) do fields[#fields + 1] = v end end
  if named then fields[#fields + 1] = 'i'; fields[#fields + 1] = id end
  if tells_of then fields[#fields + 1] = 'w'; fields[#fields + 1] = tells_of end
  call('HSET', record, unpack(fields))
  if count > 0 and put then -- not earlier: a full Redis does not refuse a script whose first write is RENAME
    call('RENAME', put, body)
    if count > 1 then call('SETRANGE', body, 0, '+') end
    call('PEXPIRE', body, open_ttl)
  end
  local states, open, dead, refused, rest = fan_out(job, lanes, 1)
  local done = #states
  if rest then
    call('SADD', base .. 'chores', 'fanout:' .. job)
    go_on_at(job, done, rest)
  end
  offer_lanes()
  if open < done then
    call('HSET', record, 's', states .. string.rep(STATE.pending, count - done))
    if count > 1 then open, dead = count_off(job, done - open, dead) end
  end
  if open == 0 and not rest then ttl = end_payload(job, dead) end
  call('PEXPIRE', record, int(ttl))
  -- The ID is written after the jobs: after an abort it must not stand for an event that was queued nowhere.
  if named then call('SET', base .. 'id:' .. account .. ':' .. id, job, 'PX', int(ttl)) end
  return refused, rest
end

-- join joins two lists of lanes by a space, if neither is empty.
local function join(before, behind) return before .. (before ~= '' and behind ~= '' and ' ' or '') .. behind end

local SIGNATURE, DROP, FAIL = 40, string.byte('0'), string.byte('e') -- characters of a signature, and letters of verdicts

-- decided returns those of the lanes with a filter that an event goes to, and of these the ones whose filter failed on it.
local function decided(filters, verdicts)
  local taken, failing = {}, {}
  used = used + math.floor(#filters / FINDS)
  for k, name in ipairs(filters) do
    local verdict = string.byte(verdicts, SIGNATURE + k) -- nil where verdicts is "*"
    if verdict ~= DROP then taken[#taken + 1] = name end
    if verdict == FAIL then failing[#failing + 1] = name end
  end
  return taken, failing
end

-- targets returns the lanes that an event goes to, their number, and, where lanes have filters, those whose filter failed on it. Where other filters
-- decide than those whose verdicts came, it returns nil and what subscribers has found.
local function targets(lane, except, topics, like, verdicts)
  if lane ~= '' then return lane, 1 end
  local to = subscribers(topics, like)
  if verdicts ~= '*' and (string.sub(verdicts, 1, SIGNATURE) ~= to.signature or #verdicts ~= #to.signature + #(to.filters or {})) then return nil, to end
  local lanes, count, failing = to.lanes, to.count, nil
  if to.filters then
    local taken
    taken, failing = decided(to.filters, verdicts)
    lanes, count = join(table.concat(taken, ' '), lanes), count + #taken
  end
  if except == '' then return lanes, count, failing end
  local from, till = string.find(' ' .. lanes .. ' ', ' ' .. except .. ' ', 1, true)
  if not from then return lanes, count, failing end
  return join(string.sub(lanes, 1, math.max(from - 2, 0)), string.sub(lanes, till)), count - 1, failing
end

-- count_failing counts an event on which the filters of lanes failed.
local function count_failing(failing)
  used = used + math.floor(#failing / REFUSAL)
  for _, lane in ipairs(failing) do
    if state_of(lane).status then call('HINCRBY', base .. 'conf:' .. lane, 'fe', 1) end
  end
end

-- is_told_of reports whether the lane that a notice tells of exists. The lane that the notice goes to, the owner's or the operator's, is made with the
-- first notice.
local function is_told_of(lane, told_in, account)
  local status = state_of(lane).status
  if not status or status == 'deleted' then return false end
  if told_in ~= '' and not state_of(told_in).status then
    call('HSET', base .. 'conf:' .. told_in, 'st', 'active', 'a', account)
    states_of_lanes[told_in] = nil
  end
  return true
end

local behind = {} -- accounts with an event that the caller has to push again
local taken = {} -- by the place of an event: it has taken its large payload

-- put_of returns the key of an event's large payload, by the event's place in this call; false where it has none.
local function put_of(i)
  local at = 14 + (i - 1) * PER_EVENT
  local own, payload = ARGV[at + 2], ARGV[at + 13]
  return own ~= 'on' and payload == '' and base .. 'put:' .. puts .. ':' .. i
end

for i = 1, COUNT do
  local at = 14 + (i - 1) * PER_EVENT
  local account, id, own, own_job, job, kind, timestamp, given, digest, lane, topics, like, verdicts, payload = unpack(ARGV, at, at + PER_EVENT - 1)
  -- No event begins behind one that goes on even where Redis is full, as Redis would not refuse it either.
  if used >= MOST_LANES or draining and own ~= 'on' then break end
  local outcome, lanes, refused, more = 'new', '', '', false
  local told_lane = ''
  if lane ~= '' then lane, told_lane = string.match(lane, '^([^!]*)!?(.*)$') end
  local used_job, e
  local put = puts ~= '' and put_of(i)
  large = put
  if own == '' then used_job, e = find_by_id(account, id, own_job) end
  if own == 'on' then
    refused, more, outcome = go_on(job, given)
  elseif told_lane ~= '' and is_ending(account) then
    outcome = 'ending'
  elseif told_lane ~= '' and not is_told_of(told_lane, lane, account) then
    outcome = 'gone' -- nothing is written before this: its account may be deleted as well
  elseif not open_account(account) then
    outcome = 'ending'
  elseif used_job then
    -- If it is the job of this very call, the client has lost the answer and made the call again.
    outcome, job, lanes, more = used_job == job and 'new' or 'same', used_job, e[4] or '', e[6]
    if e[2] ~= digest or (given == '1' and e[3] ~= timestamp) then outcome, more = 'other', false end
    timestamp = e[3]
    -- This call needs a write: WAIT waits until replicas have the writes of its own connection, and answers at once where there are none, but the first
    -- call may have failed because too few replicas had its writes. PEXPIRE needs no memory, so a full Redis does not refuse it.
    local left = call('PTTL', base .. 'event:' .. job)
    if left > 0 then call('PEXPIRE', base .. 'event:' .. job, left) end
  else
    local stored = call('HMGET', base .. 'event:' .. job, 'a', 'h', 't', 'l', 'i', 'p')
    if own == '1' and stored[1] == account and stored[2] == digest and not stored[5] then
      -- The client has made this call again, as above. With another job it would be a second event.
      timestamp, lanes, more = stored[3], stored[4] or '', stored[6]
    elseif stored[1] then
      outcome = 'taken'
    else
      local to, count, failing = targets(lane, told_lane, topics, like, verdicts)
      if to and behind[account] then
        outcome = 'later'
      elseif to and put and count > 0 and call('EXISTS', put) == 0 then
        outcome = 'unsaved'
      elseif to then
        lanes, taken[i] = to, count > 0
        if failing then count_failing(failing) end
        refused, more = begin(job, account, id, kind, timestamp, digest, to, count, failing, payload, put, own ~= '1' and own_job ~= job, lane ~= '' and told_lane ~= '' and told_lane)
      else
        outcome, lanes, refused = 'asked', count.signature, count.asks or ''
        if refused ~= '' then used, count.asks = used + math.floor(#count.filters / REFUSAL), '' end -- an answer lists them once
      end
    end
  end
  if outcome == 'asked' or outcome == 'taken' or outcome == 'unsaved' then behind[account] = true end
  if more then used = MOST_LANES end -- the call ends here, so that no other event overtakes it
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5], reply[n + 6] = outcome, job, timestamp, lanes, refused, more and '1' or ''
end

-- UNLINK comes last, as a full Redis refuses nothing after it.
for i = 1, puts ~= '' and COUNT or 0 do
  local put = not taken[i] and put_of(i)
  if put then call('UNLINK', put) end
end
count_waiting(waited)
count_waiting_of(came)
if woken then wake() end
return reply

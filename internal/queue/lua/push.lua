-- push: takes events in: recognises repeated IDs, finds the lanes, and queues a job in each. An event to many lanes takes
-- several calls, so that none holds Redis for long. Its first call writes down which lanes it goes to, and each says where the next
-- goes on, in the step in which it queues the jobs: whoever comes next goes on there, and neither skips a lane nor repeats one.
--
-- KEYS[1] the shard
-- ARGV[10] number of events, ARGV[11] lanes of one call, ARGV[12] most jobs that may wait in an account, ARGV[13] what keys of payloads beside are
--   named after, ARGV[14…] for each event:
--   account, ID, own ("1": the ID was made for this call, so nobody can have used it; "on": the event was begun, its job
--   follows, and the rest of it is to be done), the job that an ID of our own form stands for (or ""), job, type, timestamp, given
--   ("1": the publisher gave the timestamp; with "on": ms for which nobody must have gone on with it), digest,
--   lane ("", the only lane it goes to, "!" and a lane that it tells of and that doesn't get it, or both: the only lane, "!" and the lane that it tells
--   of), topics (joined by spaces), job of another event that has
--   these topics and went to many lanes (or ""), verdicts of the filters of its lanes (a signature and a letter for each, or "*": none
--   keeps it out), payload ("": it was put beside before this call, into put:<that name>:<place
--   of the event, from 1>, after "1", with an end soon)
-- Returns for each event that it came to (all, or as many as the lanes of one call allow, one at least): outcome, job, timestamp, lanes, of these the
--   ones in which it failed at once in this call, as <lane>:<reason> (both joined by spaces), and "1" where the event is not whole yet.
--   outcome "new", "same" (the first answer again), "other" (the ID stands for another event), "taken" (job exists: call again with another),
--   "ending" (the account is being deleted), "gone" (the lane that it tells of is deleted),
--   "busy" (somebody has just gone on with it), "asked" (filters decide whose verdicts did not come: lanes is their signature, and what follows
--   these filters, as #<version>:<lane>, where they were not in this answer before; nothing was done), "unsaved" (its payload, put beside, is not
--   there; nothing was done), "later" (an event of the same account before it was asked, is unsaved or taken: it would overtake it)
--
-- Safe to repeat: a second call with the same ID finds the first one's event, and how far it has come.
-- A payload beside becomes that of its event in the step that queues it, before the lanes. Its key is of this call alone, so it is that of no other
-- event, nor of another try with the same ID; what is not taken goes in the same call, and ends by itself where the call never comes.

local PER_EVENT = 14
-- What is over the lanes of one call is for the next one, see lib.lua. One that refuses a job and keeps it as failed counts as several, as
-- that is 14 writes instead of 2; many that are only found count as one.
local MOST_LANES, REFUSAL, FINDS, FEW = tonumber(ARGV[11]), 7, 50, 64
local COUNT, MOST_WAITING, puts = tonumber(ARGV[10]), tonumber(ARGV[12]), ARGV[13]
local open_ttl = ARGV[9] -- as text, see int
local reply, waited, woken, used, draining = {}, 0, false, 0, false

-- known returns the event's record where the ID was used before in this account.
local function known(account, id, own_job)
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

-- version tells whether a subscription has changed in the shard since.
local function version() return call('HGET', base .. 'stats', 'subscriptions') or '0' end

-- What is found out once in a call: lanes by topics, and how each lane stands.
local subscribed, standing = {}, {}

-- part_filtered takes those with a filter out of the lanes: filters are their names, in the order of what signature and asks say of them.
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

-- subscribers are the lanes of any of the topics. To find many takes as long as to queue jobs in some of them, so they are taken
-- from an event like this one where no subscription in the shard has changed since.
local function subscribers(topics, like)
  if subscribed[topics] then return subscribed[topics] end
  local to = { lanes = '', count = 0, signature = '' }
  subscribed[topics] = to
  if like ~= '' then
    local e = call('HMGET', base .. 'event:' .. like, 'l', 's', 'v')
    if e[1] and e[2] and e[3] == version() then
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

local function stand(lane)
  local s = standing[lane]
  if not s then
    local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'hu', 'a', 'ord', 'os', 'lp')
    s = { status = h[1], account = h[6], large = h[9] == '1', place = int(math.max(now, tonumber(h[5]) or 0)), waiting = call('ZCARD', base .. 'lane:' .. lane) }
    s.ready = is_served(h[1]) and (tonumber(h[2]) or 0) < window_of(h[3], h[4])
    -- What waits in an ordered lane waits for the head, which has put the lane into ready if it can be served.
    if ordered_by(h[7]) then s.last, s.ready = h[8] or '0', s.ready and s.waiting == 0 end
    standing[lane] = s
  end
  return s
end

local counted, came = {}, {} -- by account: how many waited before this call, and how many came with it

-- refuses says why a lane takes no job, nil where it takes one.
local function refuses(s)
  if s.status == 'disabled' then return 'disabled' end
  if s.waiting >= C.pending then return 'backlog' end
  if s.waiting > ROOM and s.account then
    counted[s.account] = counted[s.account] or tonumber(call('HGET', base .. 'pending', s.account) or 0)
    if counted[s.account] + (came[s.account] or 0) >= MOST_WAITING then return 'backlog' end
  end
end

local places = {} -- in ready, of lanes that the event gives the first job that can be served

local large = false -- the event's payload is beside

-- queue puts one job into one lane. Where that takes none, it returns why, and whether it keeps the job as failed.
local function queue(lane, job)
  local s = stand(lane)
  if not s.status or s.status == 'deleted' then -- it went while the event was on its way
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
    s.ready = false -- it is, from now on
    places[#places + 1] = s.place
    places[#places + 1] = lane
  end
end

local tick = int(next_look())

-- look_at_new has those lanes looked at that have had nothing to wait for too long.
local function look_at_new(to)
  local looks = {}
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

-- one_lane is fan_out for an event with one lane, as most are: the same without lists.
local function one_lane(job, lane)
  local s = stand(lane)
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

-- fan_out queues a job in those of its lanes, from a byte of them on, that this call has room for. It returns the states of the job in
-- these, how many of them take it, how many keep it as failed, those that refused it, and the byte at which the next call goes on: nil for none.
local function fan_out(job, lanes, from)
  if from == 1 and lanes ~= '' and not string.find(lanes, ' ', 1, true) then return one_lane(job, lanes) end
  local part, states, open, dead, refused = {}, {}, 0, 0, ''
  local rest
  for at, lane in string.gmatch(string.sub(lanes, from), '()(%S+)') do
    local s = stand(lane)
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

-- go_on_at notes where an event's next part begins.
local function go_on_at(job, lane, byte)
  call('HSET', base .. 'event:' .. job, 'p', int(lane) .. ':' .. int(byte) .. ':' .. now_text)
end

-- count_off takes the jobs of a part that are not open off those of the event. It returns how many are, and how many are kept as failed.
local function count_off(job, ended, dead)
  local event = base .. 'event:' .. job
  return call('HINCRBY', event, 'o', -ended), call('HINCRBY', event, 'd', dead)
end

-- end_payload starts the clock of a payload that nobody waits for. It returns how long that is.
local function end_payload(job, dead)
  local ttl = dead > 0 and C.kept_dead or C.kept
  call('PEXPIRE', base .. 'body:' .. job, ttl)
  return math.max(C.id_ttl, ttl)
end

-- go_on does the next part of an event that was begun. It returns what refused it, whether there is more, and the outcome.
local function go_on(job, idle)
  local event = base .. 'event:' .. job
  local e = call('HMGET', event, 'l', 's', 'p')
  local before, byte, last = string.match(e[3] or '', '^(%d+):(%d+):(%d+)$')
  if not before then
    call('SREM', base .. 'chores', 'fanout:' .. job) -- it is whole, or not known any more
    return '', false, 'new'
  end
  if tonumber(idle) > 0 and now - tonumber(last) < tonumber(idle) then return '', true, 'busy' end
  write_when_full() -- what was begun is finished even where Redis is full
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

-- list adds an event to the list of its account, which ends with its last event. It returns its time there, so that this is when the event
-- came; but where the clock went back, the list's time has not. Our own accounts have no list.
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

-- begin writes a new event down and does as much of it as this call has room for. It returns what refused it, and whether there is more.
local function begin(job, account, id, kind, timestamp, digest, lanes, count, filtered, payload, put, named, tells_of)
  local record, body, ttl = base .. 'event:' .. job, base .. 'body:' .. job, math.max(C.id_ttl, C.open_ttl)
  if count > 0 and not put then call('SET', body, (count == 1 and '1' or '+') .. payload, 'PX', open_ttl) end
  local created = list(account, job, kind)
  -- Before the lanes: a full one may drop a failed job, and with many of them this one.
  local fields = {
    'a', account, 'y', kind, 't', timestamp, 'h', digest, 'l', lanes, 'c', int(created), 's', string.rep(STATE.pending, count),
  }
  if count > 1 then for _, v in ipairs({ 'o', int(count), 'd', '0' }) do fields[#fields + 1] = v end end
  if count > FEW and not filtered then for _, v in ipairs({ 'v', version() }) do fields[#fields + 1] = v end end
  if named then fields[#fields + 1] = 'i'; fields[#fields + 1] = id end
  if tells_of then fields[#fields + 1] = 'w'; fields[#fields + 1] = tells_of end
  call('HSET', record, unpack(fields))
  if count > 0 and put then -- not before: a full Redis must refuse the first write, and would not refuse this one
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
  -- After the lanes, see lib.lua: an ID that is known must not stand for an event that was queued nowhere.
  if named then call('SET', base .. 'id:' .. account .. ':' .. id, job, 'PX', int(ttl)) end
  return refused, rest
end

local function join(before, behind) return before .. (before ~= '' and behind ~= '' and ' ' or '') .. behind end

local SIGNATURE, DROP, FAIL = 40, string.byte('0'), string.byte('e') -- characters of a signature, and letters of verdicts

-- decided are those of the filtered lanes that an event goes to, and of these the ones whose filter failed on it.
local function decided(filters, verdicts)
  local taken, failing = {}, {}
  used = used + math.floor(#filters / FINDS)
  for k, name in ipairs(filters) do
    local verdict = string.byte(verdicts, SIGNATURE + k) -- none of "*"
    if verdict ~= DROP then taken[#taken + 1] = name end
    if verdict == FAIL then failing[#failing + 1] = name end
  end
  return taken, failing
end

-- targets are the lanes that an event goes to, how many they are, and where there are filtered ones, those of them whose filter failed on it.
-- There are none, nil, where other filters decide than those whose verdicts came: the second is then what is known of them.
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

-- count_failing counts the events on which filters failed.
local function count_failing(failing)
  used = used + math.floor(#failing / REFUSAL)
  for _, lane in ipairs(failing) do
    if stand(lane).status then call('HINCRBY', base .. 'conf:' .. lane, 'fe', 1) end
  end
end

-- is_told_of reports whether a lane is there that an event tells of. The lane that it is told in, an owner's or the operator's, is made with the
-- first of what is told.
local function is_told_of(lane, told_in, account)
  local status = stand(lane).status
  if not status or status == 'deleted' then return false end
  if told_in ~= '' and not stand(told_in).status then
    call('HSET', base .. 'conf:' .. told_in, 'st', 'active', 'a', account)
    standing[told_in] = nil
  end
  return true
end

local behind = {} -- accounts with an event that is to be pushed again
local taken = {} -- by place: an event took its payload

-- put_of is the key of an event's payload where that was put beside, by its place in this call.
local function put_of(i)
  local at = 14 + (i - 1) * PER_EVENT
  local own, payload = ARGV[at + 2], ARGV[at + 13]
  return own ~= 'on' and payload == '' and base .. 'put:' .. puts .. ':' .. i
end

for i = 1, COUNT do
  local at = 14 + (i - 1) * PER_EVENT
  local account, id, own, own_job, job, kind, timestamp, given, digest, lane, topics, like, verdicts, payload = unpack(ARGV, at, at + PER_EVENT - 1)
  -- Behind what goes on even in a full Redis nothing begins: it would be let in as well.
  if used >= MOST_LANES or draining and own ~= 'on' then break end
  local outcome, lanes, refused, more = 'new', '', '', false
  local of = ''
  if lane ~= '' then lane, of = string.match(lane, '^([^!]*)!?(.*)$') end
  local seen, e
  local put = puts ~= '' and put_of(i)
  large = put
  if own == '' then seen, e = known(account, id, own_job) end
  if own == 'on' then
    refused, more, outcome = go_on(job, given)
  elseif of ~= '' and is_ending(account) then
    outcome = 'ending'
  elseif of ~= '' and not is_told_of(of, lane, account) then
    outcome = 'gone' -- before anything is written: its account may be gone as well
  elseif not open_account(account) then
    outcome = 'ending'
  elseif seen then
    -- The job of this very call: the client lost the answer and made the call again.
    outcome, job, lanes, more = seen == job and 'new' or 'same', seen, e[4] or '', e[6]
    if e[2] ~= digest or (given == '1' and e[3] ~= timestamp) then outcome, more = 'other', false end
    timestamp = e[3]
    -- A write, for WAIT waits for the replicas to have the writes of its own connection only, and answers at once where there
    -- are none: the first answer may have failed for want of replicas. This one needs no memory, which a full Redis has not.
    local left = call('PTTL', base .. 'event:' .. job)
    if left > 0 then call('PEXPIRE', base .. 'event:' .. job, left) end
  else
    local there = call('HMGET', base .. 'event:' .. job, 'a', 'h', 't', 'l', 'i', 'p')
    if own == '1' and there[1] == account and there[2] == digest and not there[5] then
      -- As above. Another job would be a second event.
      timestamp, lanes, more = there[3], there[4] or '', there[6]
    elseif there[1] then
      outcome = 'taken'
    else
      local to, count, failing = targets(lane, of, topics, like, verdicts)
      if to and behind[account] then
        outcome = 'later'
      elseif to and put and count > 0 and call('EXISTS', put) == 0 then
        outcome = 'unsaved'
      elseif to then
        lanes, taken[i] = to, count > 0
        if failing then count_failing(failing) end
        refused, more = begin(job, account, id, kind, timestamp, digest, to, count, failing, payload, put, own ~= '1' and own_job ~= job, lane ~= '' and of ~= '' and of)
      else
        outcome, lanes, refused = 'asked', count.signature, count.asks or ''
        if refused ~= '' then used, count.asks = used + math.floor(#count.filters / REFUSAL), '' end -- once in an answer
      end
    end
  end
  if outcome == 'asked' or outcome == 'taken' or outcome == 'unsaved' then behind[account] = true end
  if more then used = MOST_LANES end -- nothing overtakes it
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5], reply[n + 6] = outcome, job, timestamp, lanes, refused, more and '1' or ''
end

-- Last, as a full Redis refuses a script only until its first write.
for i = 1, puts ~= '' and COUNT or 0 do
  local put = not taken[i] and put_of(i)
  if put then call('UNLINK', put) end
end
count_waiting(waited)
count_waiting_of(came)
if woken then wake() end
return reply

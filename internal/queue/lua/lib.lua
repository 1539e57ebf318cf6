-- lib.lua: what every script of the queue begins with. It is put in front of each of them.
--
-- KEYS[1]  the shard's hash tag and a colon, "{webhooks:3}:". All keys of a shard start with it and so live in
--          one slot; the scripts derive the others from it.
-- ARGV[1…9] the limits, see C below. A script's own arguments start at ARGV[10].
--
-- Keys, under the tag:
--   ready            zset   lane -> when it may be served next (its earliest due time, or the last time it was served)
--   lane:<lane>      zset   job -> due time in ms; a half is added where the job has a record, so that a first attempt costs no
--                           look at one
--   leases           zset   <lane>:<job>:<token> -> deadline. The token is part of the member, so that only the
--                           holder of the right one can end a lease (fencing)
--   job:<lane><job>  hash   what a job has gone through: n attempts, x expired leases in a row, r reason of failure
--   body:<job>       string the payload, once per event however many lanes it goes to, after "1" where there is one lane and "+"
--                           where there are more
--   put:<call>:<n>   string a large payload on its way, with an end soon: see push.lua
--   event:<job>      hash   the event: a account, i ID, y type, t timestamp, g given, h digest, l lanes, c created,
--                           s state of its delivery in each lane, a letter each in the order of l: see STATE,
--                           x:<lane> reason of a failure that is not kept any more, p how far it has come, while it is not in all of
--                           its lanes: <lanes done>:<byte of l at which the next begins>:<ms of the last part>, see push.lua,
--                           v what subscriptions in stats was when many lanes were found,
--                           w the lane that it tells of, where it tells an owner or the operator of one,
--                           z of one that was expunged how many of its lanes are done: nothing but a, i, c and, until all are, l is left beside it,
--                           and where it has several lanes o deliveries not ended, d failed deliveries kept
--   id:<account>:<i> string the event's job, for IDs that the publisher gave
--   conf:<lane>      hash   the lane. register.lua makes it (that of a receiver's queue lanes.lua), update.lua changes it and delete.lua ends it;
--                           its flow and status are written by claim, settle, push and resend. It holds st status, cap, rate, meta (its owner's settings, opaque here), and its flow:
--                           fl in flight, w window, s successes of the round, tat rate limiter, rec where jobs with a record may wait,
--                           fe events on which its filter failed,
--                           q attempts of the minute that is open, see figures.lua,
--                           k the Idempotency-Key that it was registered with,
--                           hu held until (no attempt starts before), hb when the attempt began that asked for it, sb from when an
--                           attempt must have begun to ask for it, bs since when all attempts have failed: see settle.lua; and where its jobs go out one after the other, see below,
--                           ord "1", or "2" while what waited before is put in order, from place oc on, os the place of the last job, hj the job that has
--                           been at the head since ha, rt from which place on payloads are kept for longer next; fr when it was ordered last; lp "1" where
--                           large payloads may wait, see claim.lua
--   events:<account> stream every event of an account, in order: j its job, y its type
--   idx:<lane>       stream every job of the lane, in order
--   old:<lane>       stream what is left of idx after its time: the failed jobs, under the same IDs
--   late:<lane>      zset   job -> until when it may wait, where idx does not tell: see wait_again
--   log:<lane>       list   every attempt: its job, ms of its settling (13 digits), and what is kept of it
--   spent            stream jobs of events with one lane that were delivered at once; their payloads go when they have been in it
--                           for as long as a payload is kept
--   resent           zset   jobs that were sent again -> when: an older entry in spent is not for them
--   dead:<lane>      zset   failed jobs -> when they failed
--   failed:<lane>    zset   jobs that failed -> when their events came, for lists: these are by that time. Those in dead, and those that went out
--                           of it, for as long as their events are known. Only of accounts' events
--   gone:<lane>      zset   jobs cancelled with their lane
--   ages             zset   lane -> when to look at it next, for jobs that waited too long and for its history. Holds every
--                           lane with jobs, and those with failed jobs until they have moved to old
--   notices, outbox  zset, stream: see settle.lua
--   topic:<t>        set    lanes that subscribe to a topic; one with a filter as #<version of the filter>:<lane>
--   hooks:<account>  zset   lanes of an account -> when they were made
--   unhooked:<account> zset lanes that were of an account -> when they were deleted, for as long as anything of them is kept
--   again:<account>  zset   jobs of an account that were sent again -> when, for as long as their events are known
--   boxes:<account>  set    mailboxes that an account has had
--   account:<name>   hash   an account: c created, v version, info what its owner set (opaque here), x from when on it is being deleted,
--                           xp and xc how far that has come: see account_end.lua
--   mails:<kind>     zset   mailboxes -> when they are due; mailbox:<box> and mailed:<box>: see mail_add.lua
--   token:<lane>     string an access token, sealed; tokenlock:<lane> who asks for one
--   accountlist      zset   all accounts, each with a score of 0, so that they are in the order of their names
--   chores           set    what whoever comes next goes on with; here fanout:<job>, for an event that is not in all of its lanes
--   pending          hash   account -> how many of its jobs wait, in all of its lanes
--   stats            hash   waiting, subscriptions: how often any has changed, with lanes that came or went counted
--   figures          hash   account -> attempts of the minute that is open, '*' those of the shard: see figures.lua
--   figures:w:<lane>, figures:a:<account>, figures:all   string: attempts over time
--
-- In an ordered lane the score of a job in lane:<lane> is its place, not when it is due: whatever is not the head is not due. Places grow
-- with each job, also where the clock goes back. Those of jobs that came to the end have an odd number of 1/2048 ms; one that had been
-- the head already comes back in front of all others with a quarter, and may then be attempted from u of its record on.
--
-- While a cluster moves a slot, a script may be refused between two writes. So a target is written before the pointer
-- that leads away from it is removed: an abort leaves a job twice rather than nowhere.

local base = KEYS[1]
local call = redis.call
local time = call('TIME')
local exact = time[1] * 1000 + time[2] / 1000 -- ms, for what must not come early
local now = math.floor(exact)

local C = {
  kept = tonumber(ARGV[1]),      -- ms a payload is kept after its last delivery ended
  kept_dead = tonumber(ARGV[2]), -- ms a payload is kept where a delivery failed
  id_ttl = tonumber(ARGV[3]),    -- ms an event ID is remembered; 0 where events have no record: those of a receiver's queue
  log_len = tonumber(ARGV[4]),   -- attempts kept for a lane
  log_ttl = tonumber(ARGV[5]),   -- ms they are kept
  cap = tonumber(ARGV[6]),       -- attempts in flight to one lane
  pending = tonumber(ARGV[7]),   -- waiting jobs of one lane
  age = tonumber(ARGV[8]),       -- ms a job may wait
  open_ttl = tonumber(ARGV[9]),  -- ms after which even an open job's payload goes: a safety net against leaks
}

local JOB = 26 -- characters of a job's ID
-- The states of a delivery. Each is written in the step that brings it about, and known for as long as its event is.
local STATE = { pending = 'p', retrying = 'r', succeeded = 's', failed = 'f', cancelled = 'c' }
local FIRST_WINDOW = 2
local SWEEP = math.max(math.min(30000, math.floor(C.age / 10)), 100) -- ms between looks for jobs that waited too long
-- No script makes more than 2,000 writes, whatever its arguments and whatever a tenant lets pile up: meanwhile nobody else is served.
-- So each of these is for a whole call, and what is left over is for the next one.
local dropped_left = 20 -- failed jobs that are dropped, where more are kept than may be: after max_pending was lowered
local look_left = 200 -- entries of histories that are gone through
local IDX_TTL = math.max(C.id_ttl, C.age)
-- ms an event is in its account's list: as long as it is known, but for what failed or was sent again.
local EVENTS_TTL = math.max(C.id_ttl, C.open_ttl, C.kept > C.id_ttl and C.open_ttl + C.kept or 0)

-- int writes a number for Redis. Left to itself, a script writes all the digits that a float could have, which takes longer than
-- most commands; and even like this it takes as long as a short one, so each number is written once in a call.
local written = {}
local function int(n)
  local text = written[n]
  if not text then
    text = string.format('%.0f', n)
    written[n] = text
  end
  return text
end
local now_text = int(now)

-- The place of a lane that was just served, behind all others that can be served now: to the microsecond, as a millisecond
-- sees many. Due times are whole milliseconds, so what can be served has a place below that of the next one.
local turn_text, ready_by = string.format('%.3f', exact), '(' .. int(now + 1)
local function is_ready(place) return place and tonumber(place) < now + 1 end

-- in_parts runs a command with any number of arguments: unpack takes no more than some thousands.
local function in_parts(command, key, args)
  for i = 1, #args, 2000 do call(command, key, unpack(args, i, math.min(i + 1999, #args))) end
end

-- cap_of is how many attempts a lane may have in flight at most; window_of how many it may have now.
local function cap_of(cap) return math.min(tonumber(cap) or C.cap, C.cap) end
local function window_of(w, cap) return math.min(tonumber(w) or FIRST_WINDOW, cap_of(cap)) end

local function served(status) return status == 'active' or status == 'failed' end

-- drain lets a script write even where Redis is out of memory: it refuses only a script whose first write could need
-- some. It begins what takes jobs out: else a full Redis could never become less full.
local function drain() call('DEL', base .. 'nothing') end

-- subscriptions_changed is called by what changes which lanes have a topic, before it does.
local function subscriptions_changed() call('HINCRBY', base .. 'stats', 'subscriptions', 1) end

-- STEP is between two places at the end of an ordered lane, see above, HELD the fraction of a place that has a time of its own.
local STEP, HELD = 1 / 1024, 0.25
local function place_text(place) return string.format('%.11f', place) end

-- next_place is that of a job that goes to the end of an ordered lane, behind the last one.
local function next_place(last) return math.max((tonumber(last) or 0) + STEP, now + STEP / 2) end

-- ordered_by reads ord of a lane: "1" or "2", nil where its jobs go out as they are due.
local function ordered_by(ord) return (ord == '1' or ord == '2') and ord or nil end

-- held_by_head is until when the head of an ordered lane keeps it from being served, 0 where it doesn't.
local function held_by_head(lane, job, place)
  if place % 1 == HELD then return tonumber(call('HGET', base .. 'job:' .. lane .. job, 'u')) or 0 end
  return place % 1 == 0.5 and math.floor(place) or 0
end

-- held_until is until when nothing of a lane may be attempted, by its hu and ord.
local function held_until(lane, held, ord)
  held = tonumber(held) or 0
  if not ordered_by(ord) then return held end
  local head = call('ZRANGE', base .. 'lane:' .. lane, 0, 0, 'WITHSCORES')
  return head[2] and math.max(held, held_by_head(lane, head[1], tonumber(head[2]))) or held
end

-- offer puts a lane into ready where it may be served, and takes it out where it may not. held is its hu.
-- not_before is the earliest time that it wants to be served (rate limit, fairness). With 0 it takes its turn: it keeps
-- its place among the lanes that can be served now, or goes behind them. The due time of its first job is no place: with
-- it the longest backlog would come first, always.
local function offer(lane, status, in_flight, window, held, not_before)
  local ready = base .. 'ready'
  if served(status) and in_flight < window then
    local head = call('ZRANGE', base .. 'lane:' .. lane, '0', '0', 'WITHSCORES')
    if head[2] then
      local place = tonumber(head[2])
      local first, part = math.floor(place), place % 1
      if part ~= 0 and part ~= 0.5 and call('HGET', base .. 'conf:' .. lane, 'ord') ~= '0' then first = held_by_head(lane, head[1], place) end
      local at = math.max(first, tonumber(held) or 0, not_before)
      if at > now then
        call('ZADD', ready, int(at), lane)
      elseif not_before == 0 then
        call('ZADD', ready, 'LT', turn_text, lane)
      else
        call('ZADD', ready, turn_text, lane)
      end
      return
    end
  end
  call('ZREM', ready, lane)
end

-- time_of is when an entry of a stream was added, in ms.
local function time_of(id) return tonumber(string.match(id, '^%d+')) end

-- since is the place in a stream of what is as old as ms. There is none before 1970.
local function since(ms) return int(math.max(now - ms, 0)) end

-- next_look is when a lane's waiting jobs are looked at again: at a common tick, so that many lanes cost one visit.
local function next_look() return (math.floor(now / SWEEP) + 1) * SWEEP end

-- look_at has a lane looked at with the next tick: for jobs that waited too long, and for its history.
local function look_at(lane) call('ZADD', base .. 'ages', 'LT', next_look(), lane) end

-- wait_in puts a job into its lane's waiting set, recorded where it has a record. The caller sees to ready.
local function wait_in(lane, job, due, recorded)
  look_at(lane)
  if recorded then call('HSET', base .. 'conf:' .. lane, 'rec', '1') end
  call('ZADD', base .. 'lane:' .. lane, recorded and due + 0.5 or due, job)
end

-- wait_until notes until when a job may wait.
local function wait_until(lane, job, time)
  local late = base .. 'late:' .. lane
  call('ZADD', late, time, job)
  call('PEXPIRE', late, C.open_ttl)
end

-- order_of says by ord whether a lane's jobs go out one after the other.
local function order_of(lane) return ordered_by(call('HGET', base .. 'conf:' .. lane, 'ord')) end

-- wait_in_front has a job wait in an ordered lane that was attempted, or nearly, until due: before all others; but while these are put in
-- order, several may be under way, and each comes back to where it was published. Where nothing is said of due, there is nothing to wait for.
local function wait_in_front(lane, job, order, due)
  local first = call('ZRANGE', base .. 'lane:' .. lane, 0, 0, 'WITHSCORES')[2]
  local place = math.min(now, first and math.floor(tonumber(first)) or now)
  if order == '2' then place = tonumber(call('HGET', base .. 'event:' .. job, 'c')) or place end
  if due > now then
    call('HSET', base .. 'job:' .. lane .. job, 'u', int(due))
  else
    call('HDEL', base .. 'job:' .. lane .. job, 'u')
  end
  look_at(lane)
  call('ZADD', base .. 'lane:' .. lane, place_text(place - 1 + HELD), job)
end

-- set_ordered has a lane's jobs go out one after the other from now on, or no longer.
local function set_ordered(lane, ordered)
  local conf = base .. 'conf:' .. lane
  if ordered then
    -- The claim puts in order what waits. What comes from now on comes after all of it.
    -- What is to be tried again has no place yet: a time that it waits for would be one for what comes from now on, once this is over.
    local last = tonumber(call('ZRANGE', base .. 'lane:' .. lane, -1, -1, 'WITHSCORES')[2]) or 0
    if last % 1 == 0.5 then last = now end
    last = math.max(math.floor(last) + 1 + STEP / 2, tonumber(call('HGET', conf, 'os')) or 0)
    call('HSET', conf, 'ord', '2', 'os', place_text(next_place(last)))
    call('HDEL', conf, 'oc', 'hj', 'ha', 'rt', 'fr')
  else
    -- Places pass for times, and the claim sorts out those with a time of their own: all may have a record.
    call('HSET', conf, 'ord', '0', 'fr', now_text, 'rec', '1')
    call('HDEL', conf, 'oc', 'hj', 'ha', 'rt')
  end
end

-- wait_again is wait_in for a job that was under way. The look along idx may have gone past it meanwhile.
local function wait_again(lane, job, due, recorded, order)
  if order then return wait_in_front(lane, job, order, due) end
  local created = tonumber(call('HGET', base .. 'event:' .. job, 'c') or now)
  if created + C.age < now + 1000 and not call('ZSCORE', base .. 'late:' .. lane, job) then
    wait_until(lane, job, created + C.age)
  end
  wait_in(lane, job, due, recorded)
end

-- note adds a job to its lane's history, which is trimmed and gets its own end at the next look.
local function note(lane, job)
  call('XADD', base .. 'idx:' .. lane, '*', 'j', job)
end

-- trim_history drops what is older than an event ID from a lane's history. Failed jobs can be sent again for longer, so
-- they move to old, as many at a time as look_left allows, and so do those of an ordered lane that wait. It returns when there is more to do: now, at a time, or never (nil).
local function trim_history(lane, order)
  local idx, old = base .. 'idx:' .. lane, base .. 'old:' .. lane
  local failed = call('EXISTS', base .. 'dead:' .. lane) == 1 or order and call('EXISTS', base .. 'lane:' .. lane) == 1
  local kept = failed and math.max(IDX_TTL, C.kept_dead) or IDX_TTL
  call('PEXPIRE', idx, kept + SWEEP)
  if call('EXISTS', old) == 1 then call('XTRIM', old, 'MINID', '~', since(math.max(IDX_TTL, C.kept_dead))) end
  if not failed then
    -- Redis trims some thousands at most: until nothing is left to trim, so that a busy lane's history does not outgrow that.
    return call('XTRIM', idx, 'MINID', '~', since(IDX_TTL)) > 0 and now + 1 or nil
  end
  if look_left == 0 then return now + 1 end
  local most = look_left
  local entries = call('XRANGE', idx, '-', since(IDX_TTL), 'COUNT', int(most))
  look_left = look_left - #entries
  for _, entry in ipairs(entries) do
    local job = entry[2][2]
    if call('ZSCORE', base .. 'dead:' .. lane, job) or call('ZSCORE', base .. 'lane:' .. lane, job) then
      redis.pcall('XADD', old, 'MAXLEN', '~', C.pending, entry[1], 'j', job) -- refused where an abort left it in both
    end
  end
  if #entries > 0 then
    call('PEXPIRE', old, C.kept_dead)
    local ms, seq = string.match(entries[#entries][1], '^(%d+)-(%d+)$')
    call('XTRIM', idx, 'MINID', '=', ms .. '-' .. int(seq + 1))
  end
  if #entries == most then return now + 1 end
  local first = call('XRANGE', idx, '-', '+', 'COUNT', 1)[1]
  return first and time_of(first[1]) + IDX_TTL + 1
end

-- only_lane reports whether an event has a single lane. Such an event needs no counting.
local function only_lane(job)
  local lanes = call('HGET', base .. 'event:' .. job, 'l')
  return not lanes or not string.find(lanes, ' ', 1, true)
end

-- state_at is the place of a lane in an event's states, nil where the event didn't go there.
local function state_at(lanes, lane)
  local from = string.find(' ' .. lanes .. ' ', ' ' .. lane .. ' ', 1, true)
  if not from then return nil end
  local _, before = string.gsub(string.sub(lanes, 1, from - 1), ' ', '')
  return before + 1
end

-- not_reached reports whether an event's jobs have not come to the lane at a place yet. progress is its p.
local function not_reached(progress, at) return progress and at and at > tonumber(string.match(progress, '^%d+')) end

-- is_expunged reports whether nothing may be kept of a job any more.
local function is_expunged(job) return C.id_ttl > 0 and call('HEXISTS', base .. 'event:' .. job, 'z') == 1 end

-- write_state notes the state of a delivery, where its event is still known. It returns true where it was expunged.
local function write_state(lane, job, state, single)
  if C.id_ttl == 0 then return false end -- there is no record to note it in
  local event = base .. 'event:' .. job
  if single then
    -- Every event has states: where there were none, it was gone or expunged, and HSET has just made others.
    if call('HSET', event, 's', state) == 0 then return false end
    if is_expunged(job) then
      call('HDEL', event, 's')
      return true
    end
    call('DEL', event)
    return false
  end
  local e = call('HMGET', event, 'l', 's')
  if not e[2] then return is_expunged(job) end
  local at = e[1] and e[2] and state_at(e[1], lane)
  if at then call('HSET', event, 's', string.sub(e[2], 1, at - 1) .. state .. string.sub(e[2], at + 1)) end
end

-- ended counts one delivery of an event as ended, and starts the clock of its payload with the last of them.
-- The event's own record outlives an ID anyway, and has to be kept longer only for a failed delivery.
local function ended(job, dead, single)
  local event, ttl = base .. 'event:' .. job, dead and C.kept_dead or C.kept
  if not single then
    local open = call('HINCRBY', event, 'o', -1)
    if dead then call('HINCRBY', event, 'd', 1) end
    if open > 0 then return end
    local e = call('HMGET', event, 'd', 'c')
    if (tonumber(e[1]) or 0) > 0 then ttl = C.kept_dead end
    if not e[2] then call('DEL', event) end -- it was gone already: HINCRBY made a new one
  end
  call('PEXPIRE', base .. 'body:' .. job, ttl)
  if ttl > C.id_ttl then call('PEXPIRE', event, ttl) end
end

-- mark_dropped leaves a note on an event, as long as that is there, that its job in this lane failed: what is neither waiting nor
-- kept would pass for delivered.
local function mark_dropped(lane, job, reason)
  local event = base .. 'event:' .. job
  if call('EXISTS', event) == 1 then call('HSET', event, 'x:' .. lane, reason or '') end
end

-- is_customers reports whether an account is a customer's, of which there is a record and what belongs to it is listed: not our own, nor a queue's.
local function is_customers(account) return account and account ~= '' and string.sub(account, 1, 1) ~= '~' end

-- list_failed notes a job in the list of those that failed.
local function list_failed(lane, job)
  local e = call('HMGET', base .. 'event:' .. job, 'a', 'c')
  if not is_customers(e[1]) then return end
  local failed = base .. 'failed:' .. lane
  call('ZADD', failed, e[2], job)
  call('PEXPIRE', failed, math.max(C.kept_dead, C.id_ttl, C.open_ttl))
end

-- unlist takes those of the jobs out of the list of those that failed whose events are not known any more.
local function unlist(lane, jobs)
  local unknown = {}
  for _, job in ipairs(jobs) do
    if call('EXISTS', base .. 'event:' .. job) == 0 then unknown[#unknown + 1] = job end
  end
  if #unknown > 0 then call('ZREM', base .. 'failed:' .. lane, unpack(unknown)) end
end

-- OUTDATED is how many failed jobs leave their lane at once because they were kept for long enough. Each failure takes at most so many out,
-- and is one itself.
local OUTDATED = 50

-- drop_outdated takes failed jobs out of their lane whose records have ended.
local function drop_outdated(lane)
  local dead = base .. 'dead:' .. lane
  local jobs = call('ZRANGEBYSCORE', dead, '-inf', int(now - C.kept_dead), 'LIMIT', 0, OUTDATED)
  if #jobs == 0 then return end
  unlist(lane, jobs)
  call('ZREM', dead, unpack(jobs))
end

-- unlist_dropped looks through the oldest of the list for those that went out of dead before their events ended, so that it does not outgrow
-- what is known.
local function unlist_dropped(lane)
  local jobs, dropped = call('ZRANGEBYSCORE', base .. 'failed:' .. lane, '-inf', int(now - C.id_ttl), 'LIMIT', 0, OUTDATED), {}
  if #jobs == 0 then return end
  for i, kept in ipairs(call('ZMSCORE', base .. 'dead:' .. lane, unpack(jobs))) do
    if not kept then dropped[#dropped + 1] = jobs[i] end
  end
  unlist(lane, dropped)
end

-- forget_dead drops a failed job for good. That it failed is listed for as long as its event is known.
local function forget_dead(lane, job)
  mark_dropped(lane, job, call('HGET', base .. 'job:' .. lane .. job, 'r'))
  call('DEL', base .. 'job:' .. lane .. job)
  if not only_lane(job) then
    local event = base .. 'event:' .. job
    local open = tonumber(call('HGET', event, 'o')) or 0
    if call('HINCRBY', event, 'd', -1) > 0 or open > 0 then return end
  end
  call('PEXPIRE', base .. 'body:' .. job, C.kept)
  local created = call('HGET', base .. 'event:' .. job, 'c')
  if created then call('PEXPIRE', base .. 'event:' .. job, math.max(C.kept, tonumber(created) + C.id_ttl - now)) end
end

-- bury_in keeps a failed job, resendable. The number kept is capped: the oldest go first. It returns false where that
-- is the job itself.
local function bury_in(lane, job, reason, attempts)
  local record, dead = base .. 'job:' .. lane .. job, base .. 'dead:' .. lane
  call('HSET', record, 'r', reason, 'n', attempts, 'f', now_text)
  call('HDEL', record, 'x')
  call('PEXPIRE', record, C.kept_dead)
  call('ZADD', dead, now, job)
  look_at(lane)
  call('PEXPIRE', dead, C.kept_dead)
  drop_outdated(lane)
  list_failed(lane, job)
  local over = math.min(call('ZCARD', dead) - C.pending, 1 + dropped_left)
  if over > 0 or C.id_ttl > C.kept_dead then unlist_dropped(lane) end
  if over > 0 then
    dropped_left = dropped_left - (over - 1)
    local old = call('ZPOPMIN', dead, over)
    for i = 1, #old, 2 do
      if old[i] == job then
        mark_dropped(lane, job, reason)
        call('DEL', record)
        return false
      end
      forget_dead(lane, old[i])
    end
  end
  return true
end

-- bury ends a job as failed.
local function bury(lane, job, reason, attempts, single)
  write_state(lane, job, STATE.failed, single)
  ended(job, bury_in(lane, job, reason, attempts), single)
end

-- is_ending reports whether an account is being deleted, and so may store nothing.
local opened = {}
local function is_ending(account)
  if opened[account] or not is_customers(account) then return false end
  return call('HEXISTS', base .. 'account:' .. account, 'x') == 1
end

-- open_account notes an account with the first thing that it stores, and reports whether it may store anything.
local function open_account(account)
  if opened[account] == nil then
    if not is_customers(account) then
      opened[account] = true
    else
      local key = base .. 'account:' .. account
      local h = call('HMGET', key, 'c', 'x')
      if not h[1] then
        call('ZADD', base .. 'accountlist', 0, account)
        call('HSET', key, 'c', now_text)
      end
      opened[account] = not h[2]
    end
  end
  return opened[account]
end

-- cancel_in keeps a job whose lane is gone, to be shown for as long as its event may be there.
local function cancel_in(lane, job)
  local gone = base .. 'gone:' .. lane
  call('ZADD', gone, now, job)
  call('PEXPIRE', gone, math.max(C.id_ttl, C.kept_dead))
end

-- cancel ends a job whose lane is gone.
local function cancel(lane, job)
  local single = only_lane(job)
  call('DEL', base .. 'job:' .. lane .. job)
  if write_state(lane, job, STATE.cancelled, single) then return end
  cancel_in(lane, job)
  ended(job, false, single)
end

-- under_way reports whether a job of a lane is being attempted. It reads all leases, once in a call: not for what is called often.
local leased
local function under_way(lane, job)
  if not leased then
    leased = {}
    for _, member in ipairs(call('ZRANGE', base .. 'leases', 0, -1)) do
      leased[string.match(member, '^(.*):[^:]+$')] = true
    end
  end
  return leased[lane .. ':' .. job]
end

-- waiting counts jobs in and out of the lanes, for the metrics.
local function waiting(delta)
  if delta ~= 0 then call('HINCRBY', base .. 'stats', 'waiting', delta) end
end

-- waiting_of counts the same for accounts: by holds how many came, or went, for each. What has nothing waiting has no entry, so that a count
-- which an aborted script put wrong is right again then.
local function waiting_of(by)
  for account, delta in pairs(by) do
    if delta ~= 0 and call('HINCRBY', base .. 'pending', account, delta) <= 0 then call('HDEL', base .. 'pending', account) end
  end
end

-- and_waiting adds to what waiting_of takes. A lane without an account is not counted.
local function and_waiting(by, account, delta)
  if account then by[account] = (by[account] or 0) + delta end
end

-- ROOM is how many jobs may wait in a lane even where too many of its account do.
local ROOM = 1000

-- wake tells the dispatchers of all processes that a lane became ready.
local function wake()
  call('PUBLISH', base .. 'wake', '1')
end

-- lib.lua: what every script of the queue begins with. script.go puts it in front of each of them.
--
-- KEYS[1]  the shard's tag: its hash tag and a colon, "{webhooks:3}:". All keys of a shard start with it, so they live in one slot. The scripts
--          derive the other keys from it.
-- ARGV[1…9] the limits, see C below. A script's own arguments start at ARGV[10].
--
-- Words: a job is one event on its way to one lane; it has the same ID in all lanes of its event. A lane's record of a job, job:<lane><job>,
-- exists only once the job had trouble. A look at a lane ends the jobs that waited too long, and trims the lane's history.
--
-- Keys, under the tag:
--   ready            zset   lane -> its turn: when it may be served next, or, where that is over, when it was served last
--   lane:<lane>      zset   job -> when it is due (ms), for all jobs that wait in the lane. Where the job has a record, a half is added, so that
--                           first attempts need not look for one
--   leases           zset   <lane>:<job>:<token> -> deadline, for each job that is being attempted. The token is part of the member, so that
--                           only its holder can end the lease (fencing)
--   job:<lane><job>  hash   the record of a job: n attempts made, x leases in a row that ran out, r reason of its failure, f when it failed,
--                           u before when it may not be attempted (in an ordered lane)
--   body:<job>       string the payload, once for an event however many lanes it goes to, after "1" where that is one lane and "+" where there
--                           are more
--   put:<call>:<n>   string a large payload that is to become that of an event, with an end soon: see push.lua
--   event:<job>      hash   the event. a account, i ID if the publisher gave one, y type, t timestamp, h digest, c when it was created (ms),
--                           l its lanes, s the state of its delivery in each of them (a letter of STATE each, in the order of l),
--                           x:<lane> reason of a failure that is not kept any more;
--                           with several lanes: o deliveries that have not ended, d failed deliveries that are kept;
--                           while it is not queued in all of its lanes: p how far it has come, as <lanes done>:<byte of l at which the next
--                           lane begins>:<when the last part was queued (ms)>, see push.lua;
--                           with many lanes: v the value of subscriptions in stats when they were found;
--                           of a notice: w the lane that it tells of;
--                           of an event that was expunged: z how many of its lanes are done. It has no fields then but a, i, c and z, and,
--                           until all lanes are done, l
--   id:<account>:<i> string the event's job, for IDs that the publisher gave
--   conf:<lane>      hash   the lane. register.lua makes it, update.lua changes it and delete.lua ends it (lanes.lua makes that of a receiver's
--                           queue); claim, settle, push and resend write how it stands.
--                           Its settings: a account, c when it was created, v version, st status, cap, rate, pub and meta (what the API shows, and what
--                           an attempt needs, both opaque here), k the Idempotency-Key of its registration, ord "1" where it is ordered, "2" until
--                           what waited before is put in order, "0" where it is ordered no longer.
--                           Its flow: fl attempts in flight, w window, fix "1" where that never changes, s successes of the round, tat of the rate
--                           limiter, rp the same for replays (see resend.lua), rec "1" where jobs with a
--                           record may wait, lp "1" where large payloads may wait (see claim.lua), hu until when it is held: no attempt starts
--                           before that; hb when the attempt began that asked for the hold, sb when an attempt must have begun to ask for one, bs since
--                           when all attempts have failed (for these four see settle.lua).
--                           Of an ordered lane: oc the rank from which on jobs are to be put in order, os the last place that was given, hj the job
--                           that is the head, ha since when, rt the rank from which on payloads are kept for longer next, fr when it ceased to
--                           be ordered.
--                           Its state and counts: ls "1" or "0" for the outcome of the latest attempt, lt when that was settled, fs since when it is
--                           failed, xc how far in idx a look has come, lx until when the log's time to live need not be set, q attempts of the open
--                           minute (see figures.lua), fe events on which its filter failed; of its notices: nt when the last one went out, nf "1" where
--                           it told of a failure, nc deliveries that have failed since, nl and ns what the next one tells and since when it failed
--   events:<account> stream every event of an account, in order: j its job, y its type
--   idx:<lane>       stream the lane's history: every job, in the order in which they were queued
--   old:<lane>       stream what is kept of idx after its time, under the same IDs: the failed jobs, and in an ordered lane those that wait
--   late:<lane>      zset   job -> until when it may wait, for jobs whose place in idx does not tell: see wait_again
--   log:<lane>       list   every attempt: its job, when it was settled (ms, 13 digits), and what is kept of it
--   spent            stream jobs of events with one lane that succeeded at the first attempt. Their payloads are removed once they have been in it
--                           for as long as payloads are kept
--   resent           zset   jobs that were sent again -> when: entries of spent that are older do not concern them
--   dead:<lane>      zset   failed jobs that are kept -> when they failed
--   failed:<lane>    zset   jobs that failed -> when their events came, as lists are in that order. Has all jobs of dead, and those that were
--                           dropped from it for as long as their events are known. Only for events of customers' accounts
--   gone:<lane>      zset   jobs that were cancelled with their lane -> when
--   ages             zset   lane -> when the next look at it is due. Has every lane with jobs that wait, and those whose history needs one
--   notices, outbox  zset, stream: see settle.lua
--   topic:<t>        set    lanes that subscribe to a topic: a member is the lane, or #<version of its filter>:<lane> where it has a filter
--   hooks:<account>  zset   lanes of an account -> when they were made
--   unhooked:<account> zset lanes of an account that were deleted -> when, for as long as anything of them is kept
--   again:<account>  zset   jobs of an account that were sent again -> when, for as long as their events are known
--   boxes:<account>  set    mailboxes that an account has had
--   account:<name>   hash   an account: c when it was created, v version of its settings, info its settings (opaque here), x since when it is
--                           being deleted, xp and xc how far that has come: see account_end.lua
--   mails:<kind>     zset   mailboxes -> when they are due; mailbox:<box> and mailed:<box>: see mail_add.lua
--   token:<lane>     string an access token, sealed; tokenlock:<lane> the process that requests one
--   accountlist      zset   all accounts, with a score of 0, so that they are in the order of their names
--   chores           set    tasks, by the name that they had in the first stores: work that any process may go on with; of this library
--                           fanout:<job>, for an event that is not in all of its lanes
--   pending          hash   account -> how many jobs wait in all of its lanes
--   stats            hash   waiting: how many jobs wait; subscriptions: how often lanes came to topics or left them
--   figures          hash   account -> attempts of the open minute, '*' those of the shard: see figures.lua
--   figures:w:<lane>, figures:a:<account>, figures:all   string: attempts over time
--
-- In an ordered lane the score of a job in lane:<lane> is its place in the line, not a due time, and only the first job, the head, can be due.
-- Places grow with each job, also where the clock goes back. A job that joins the line at its end has a place with an odd number of 1/2048 ms. One
-- that had been the head before goes in front of all others with a fraction of HELD, and may be attempted from u of its record on.
--
-- While a cluster moves a slot, a script may be aborted between two writes. So a script writes to where a job goes before it removes the job
-- from where it was: after an abort the job is there twice rather than nowhere.

local base = KEYS[1]
local call = redis.call
local time = call('TIME')
local exact = time[1] * 1000 + time[2] / 1000 -- ms with fractions, for what must not happen early
local now = math.floor(exact)

local C = {
  kept = tonumber(ARGV[1]),      -- ms a payload is kept after its last delivery ended
  kept_dead = tonumber(ARGV[2]), -- ms a payload is kept where a delivery failed
  id_ttl = tonumber(ARGV[3]),    -- ms an event ID is remembered; 0 in a receiver's queue, where events have no record event:<job>
  log_len = tonumber(ARGV[4]),   -- attempts kept for a lane
  log_ttl = tonumber(ARGV[5]),   -- ms they are kept
  cap = tonumber(ARGV[6]),       -- attempts of one lane in flight
  pending = tonumber(ARGV[7]),   -- waiting jobs of one lane
  age = tonumber(ARGV[8]),       -- ms a job may wait
  open_ttl = tonumber(ARGV[9]),  -- ms after which a payload expires even if a job still needs it: a bound for what a fault could leave behind
}

local JOB = 26 -- characters of a job's ID
-- The states of a delivery, as they stand in s of its event. Each is written in the step that brings it about.
local STATE = { pending = 'p', retrying = 'r', succeeded = 's', failed = 'f', cancelled = 'c' }
local FIRST_WINDOW = 2
local SWEEP = math.max(math.min(30000, math.floor(C.age / 10)), 100) -- ms between two looks at a lane
-- No call of a script makes more than 2,000 writes, whatever its arguments and whatever a tenant lets pile up, as Redis serves nobody else
-- meanwhile. So each of these is for a whole call, and the next call does what is left.
local drops_left = 20 -- failed jobs that are dropped because more are kept than may be, as after max_pending was lowered
local history_left = 200 -- entries of histories that are read
local IDX_TTL = math.max(C.id_ttl, C.age)
-- ms an event is in its account's list: for as long as it is known, unless it failed or was sent again.
local EVENTS_TTL = math.max(C.id_ttl, C.open_ttl, C.kept > C.id_ttl and C.open_ttl + C.kept or 0)

-- int writes a whole number as text. A script that hands a number to Redis writes all digits that a float can have, which takes longer than
-- most commands. This takes as long as a short command, so each number is written only once in a call.
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

-- turn_text is the turn of a lane that is served now, behind all others that can be served now. It is exact to the microsecond, as many lanes are
-- served within a millisecond. Due times are whole milliseconds, so a lane can be served if its turn is before the next one: ready_by.
local turn_text, ready_by = string.format('%.3f', exact), '(' .. int(now + 1)
local function is_ready(turn) return turn and tonumber(turn) < now + 1 end

-- in_parts runs a command with any number of arguments, in parts, as unpack returns some thousands at most.
local function in_parts(command, key, args)
  for i = 1, #args, 2000 do call(command, key, unpack(args, i, math.min(i + 1999, #args))) end
end

-- cap_of returns how many attempts a lane may ever have in flight, by its cap; window_of how many it may have now.
local function cap_of(cap) return math.min(tonumber(cap) or C.cap, C.cap) end
local function window_of(w, cap) return math.min(tonumber(w) or FIRST_WINDOW, cap_of(cap)) end

-- is_served reports whether attempts are made in a lane with this status.
local function is_served(status) return status == 'active' or status == 'failed' end

-- write_when_full lets a script write even where Redis is out of memory, as Redis refuses only a script whose first write could need some.
-- Scripts that take jobs out begin with it: otherwise a full Redis could never become less full.
local function write_when_full() call('DEL', base .. 'nothing') end

-- subscriptions_changed is called before a script changes which lanes subscribe to a topic.
local function subscriptions_changed() call('HINCRBY', base .. 'stats', 'subscriptions', 1) end

-- STEP is the distance between two places at the end of an ordered lane, HELD the fraction of the place of a job that had been the head before.
local STEP, HELD = 1 / 1024, 0.25
local function place_text(place) return string.format('%.11f', place) end

-- next_place returns the place of a job that joins an ordered lane at its end, by the last place that was given.
local function next_place(last) return math.max((tonumber(last) or 0) + STEP, now + STEP / 2) end

-- ordered_by returns ord of a lane if the lane is ordered, otherwise nil.
local function ordered_by(ord) return (ord == '1' or ord == '2') and ord or nil end

-- held_by_head returns until when the head of an ordered lane, a job at a place, may not be attempted; 0 where it may.
local function held_by_head(lane, job, place)
  if place % 1 == HELD then return tonumber(call('HGET', base .. 'job:' .. lane .. job, 'u')) or 0 end
  return place % 1 == 0.5 and math.floor(place) or 0
end

-- held_until returns until when nothing of a lane may be attempted, by its hu and ord.
local function held_until(lane, held, ord)
  held = tonumber(held) or 0
  if not ordered_by(ord) then return held end
  local head = call('ZRANGE', base .. 'lane:' .. lane, 0, 0, 'WITHSCORES')
  return head[2] and math.max(held, held_by_head(lane, head[1], tonumber(head[2]))) or held
end

-- offer puts a lane into ready if it may be served, and takes it out if it may not. held is its hu. not_before is the earliest time at which
-- it may be served (by its rate, or because it was served just now). With 0 it keeps its turn among the lanes that can be served now, or goes
-- behind them. The due time of its first job must not be its turn: the lane with the longest backlog would always come first.
local function offer(lane, status, in_flight, window, held, not_before)
  local ready = base .. 'ready'
  if is_served(status) and in_flight < window then
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

-- time_of returns when an entry of a stream was added (ms), by its ID.
local function time_of(id) return tonumber(string.match(id, '^%d+')) end

-- id_before returns the ID in a stream of what was added so many ms ago. No ID is below 0.
local function id_before(ms) return int(math.max(now - ms, 0)) end

-- next_look returns when the next look at a lane is due. It is the same tick for all lanes, so that one call looks at many.
local function next_look() return (math.floor(now / SWEEP) + 1) * SWEEP end

-- schedule_look makes a look at a lane due at the next tick.
local function schedule_look(lane) call('ZADD', base .. 'ages', 'LT', next_look(), lane) end

-- wait_in has a job wait in its lane until it is due. recorded tells that it has a record. The caller puts the lane into ready.
local function wait_in(lane, job, due, recorded)
  schedule_look(lane)
  if recorded then call('HSET', base .. 'conf:' .. lane, 'rec', '1') end
  call('ZADD', base .. 'lane:' .. lane, recorded and due + 0.5 or due, job)
end

-- wait_until notes until when a job may wait at most.
local function wait_until(lane, job, time)
  local late = base .. 'late:' .. lane
  call('ZADD', late, time, job)
  call('PEXPIRE', late, C.open_ttl)
end

-- order_of returns ord of a lane if the lane is ordered, otherwise nil.
local function order_of(lane) return ordered_by(call('HGET', base .. 'conf:' .. lane, 'ord')) end

-- wait_in_front has a job that was the head of an ordered lane wait there until due, in front of all others. While the lane is put in order
-- (order is "2") several jobs may have been under way, and each goes to where it was published. A due time that is over is not noted.
local function wait_in_front(lane, job, order, due)
  local first = call('ZRANGE', base .. 'lane:' .. lane, 0, 0, 'WITHSCORES')[2]
  local place = math.min(now, first and math.floor(tonumber(first)) or now)
  if order == '2' then place = tonumber(call('HGET', base .. 'event:' .. job, 'c')) or place end
  if due > now then
    call('HSET', base .. 'job:' .. lane .. job, 'u', int(due))
  else
    call('HDEL', base .. 'job:' .. lane .. job, 'u')
  end
  schedule_look(lane)
  call('ZADD', base .. 'lane:' .. lane, place_text(place - 1 + HELD), job)
end

-- set_ordered makes a lane ordered from now on, or no longer.
local function set_ordered(lane, ordered)
  local conf = base .. 'conf:' .. lane
  if ordered then
    -- claim.lua puts in order what waits, and jobs that are queued from now on go behind all of it. The due time of a job that is to be tried
    -- again is no place, so it must not decide what comes behind it.
    local last = tonumber(call('ZRANGE', base .. 'lane:' .. lane, -1, -1, 'WITHSCORES')[2]) or 0
    if last % 1 == 0.5 then last = now end
    last = math.max(math.floor(last) + 1 + STEP / 2, tonumber(call('HGET', conf, 'os')) or 0)
    call('HSET', conf, 'ord', '2', 'os', place_text(next_place(last)))
    call('HDEL', conf, 'oc', 'hj', 'ha', 'rt', 'fr')
  else
    -- From now on claim.lua takes the places for due times. It reads the records of all jobs, as one that was the head may have a time of its own.
    call('HSET', conf, 'ord', '0', 'fr', now_text, 'rec', '1')
    call('HDEL', conf, 'oc', 'hj', 'ha', 'rt')
  end
end

-- wait_again has a job wait that was under way. Looks may have passed its place in idx meanwhile, so late notes until when it may wait.
local function wait_again(lane, job, due, recorded, order)
  if order then return wait_in_front(lane, job, order, due) end
  local created = tonumber(call('HGET', base .. 'event:' .. job, 'c') or now)
  if created + C.age < now + 1000 and not call('ZSCORE', base .. 'late:' .. lane, job) then
    wait_until(lane, job, created + C.age)
  end
  wait_in(lane, job, due, recorded)
end

-- add_to_history adds a job to its lane's history. The next look trims that, and sets when it expires.
local function add_to_history(lane, job)
  call('XADD', base .. 'idx:' .. lane, '*', 'j', job)
end

-- trim_history removes from a lane's history what is older than IDs are known. Failed jobs, which can be sent again for longer, and jobs that
-- wait in an ordered lane move to old, as many at a time as history_left allows. It returns when the next call is needed (ms), nil for never.
local function trim_history(lane, order)
  local idx, old = base .. 'idx:' .. lane, base .. 'old:' .. lane
  local failed = call('EXISTS', base .. 'dead:' .. lane) == 1 or order and call('EXISTS', base .. 'lane:' .. lane) == 1
  local kept = failed and math.max(IDX_TTL, C.kept_dead) or IDX_TTL
  call('PEXPIRE', idx, kept + SWEEP)
  if call('EXISTS', old) == 1 then call('XTRIM', old, 'MINID', '~', id_before(math.max(IDX_TTL, C.kept_dead))) end
  if not failed then
    -- Redis trims some thousands of entries in a call, so a busy lane needs one call after the other until nothing is left to trim.
    return call('XTRIM', idx, 'MINID', '~', id_before(IDX_TTL)) > 0 and now + 1 or nil
  end
  if history_left == 0 then return now + 1 end
  local most = history_left
  local entries = call('XRANGE', idx, '-', id_before(IDX_TTL), 'COUNT', int(most))
  history_left = history_left - #entries
  for _, entry in ipairs(entries) do
    local job = entry[2][2]
    if call('ZSCORE', base .. 'dead:' .. lane, job) or call('ZSCORE', base .. 'lane:' .. lane, job) then
      redis.pcall('XADD', old, 'MAXLEN', '~', C.pending, entry[1], 'j', job) -- Redis refuses an entry that is there already, as after an abort
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

-- only_lane reports whether an event has a single lane, so that its deliveries are not counted.
local function only_lane(job)
  local lanes = call('HGET', base .. 'event:' .. job, 'l')
  return not lanes or not string.find(lanes, ' ', 1, true)
end

-- place_of_lane returns the place of a lane among an event's lanes and states, from 1; nil where the event does not go there.
local function place_of_lane(lanes, lane)
  local from = string.find(' ' .. lanes .. ' ', ' ' .. lane .. ' ', 1, true)
  if not from then return nil end
  local _, before = string.gsub(string.sub(lanes, 1, from - 1), ' ', '')
  return before + 1
end

-- not_reached reports whether an event is not queued yet in the lane at a place. progress is its p.
local function not_reached(progress, at) return progress and at and at > tonumber(string.match(progress, '^%d+')) end

-- is_expunged reports whether a job's event was expunged, so that nothing may be kept of it.
local function is_expunged(job) return C.id_ttl > 0 and call('HEXISTS', base .. 'event:' .. job, 'z') == 1 end

-- write_state notes the state of a delivery, if its event is still known. single tells that the event has one lane. It returns true where the
-- event was expunged.
local function write_state(lane, job, state, single)
  if C.id_ttl == 0 then return false end -- there are no records of events
  local event = base .. 'event:' .. job
  if single then
    -- Every event has states. Where HSET has just added some, there was no record, or that of an event that was expunged.
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
  local at = e[1] and e[2] and place_of_lane(e[1], lane)
  if at then call('HSET', event, 's', string.sub(e[2], 1, at - 1) .. state .. string.sub(e[2], at + 1)) end
end

-- count_ended counts a delivery of an event as ended. With the last one it sets when the payload expires. The event's record is kept for as long as
-- IDs are known anyway, and for longer only if the payload is.
local function count_ended(job, dead, single)
  local event, ttl = base .. 'event:' .. job, dead and C.kept_dead or C.kept
  if not single then
    local open = call('HINCRBY', event, 'o', -1)
    if dead then call('HINCRBY', event, 'd', 1) end
    if open > 0 then return end
    local e = call('HMGET', event, 'd', 'c')
    if (tonumber(e[1]) or 0) > 0 then ttl = C.kept_dead end
    if not e[2] then call('DEL', event) end -- it had expired, and HINCRBY has made a new one
  end
  call('PEXPIRE', base .. 'body:' .. job, ttl)
  if ttl > C.id_ttl then call('PEXPIRE', event, ttl) end
end

-- mark_dropped notes on an event, if that is still known, the reason for which its job in this lane failed. It is for jobs that are not kept.
local function mark_dropped(lane, job, reason)
  local event = base .. 'event:' .. job
  if call('EXISTS', event) == 1 then call('HSET', event, 'x:' .. lane, reason or '') end
end

-- is_customers reports whether an account is a customer's. Our own accounts, and the queues of receivers, have no record and no lists.
local function is_customers(account) return account and account ~= '' and string.sub(account, 1, 1) ~= '~' end

-- list_failed adds a job to the list of those that failed.
local function list_failed(lane, job)
  local e = call('HMGET', base .. 'event:' .. job, 'a', 'c')
  if not is_customers(e[1]) then return end
  local failed = base .. 'failed:' .. lane
  call('ZADD', failed, e[2], job)
  call('PEXPIRE', failed, math.max(C.kept_dead, C.id_ttl, C.open_ttl))
end

-- unlist removes from the list of failed jobs those of the jobs whose events are not known any more.
local function unlist(lane, jobs)
  local unknown = {}
  for _, job in ipairs(jobs) do
    if call('EXISTS', base .. 'event:' .. job) == 0 then unknown[#unknown + 1] = job end
  end
  if #unknown > 0 then call('ZREM', base .. 'failed:' .. lane, unpack(unknown)) end
end

-- OUTDATED is how many failed jobs are removed with each failure because their time is over.
local OUTDATED = 50

-- drop_outdated removes failed jobs from their lane whose records have expired.
local function drop_outdated(lane)
  local dead = base .. 'dead:' .. lane
  local jobs = call('ZRANGEBYSCORE', dead, '-inf', int(now - C.kept_dead), 'LIMIT', 0, OUTDATED)
  if #jobs == 0 then return end
  unlist(lane, jobs)
  call('ZREM', dead, unpack(jobs))
end

-- unlist_dropped removes from the list of failed jobs some of the oldest that are not kept any more, if their events are not known either. So the
-- list does not grow without bound.
local function unlist_dropped(lane)
  local jobs, dropped = call('ZRANGEBYSCORE', base .. 'failed:' .. lane, '-inf', int(now - C.id_ttl), 'LIMIT', 0, OUTDATED), {}
  if #jobs == 0 then return end
  for i, kept in ipairs(call('ZMSCORE', base .. 'dead:' .. lane, unpack(jobs))) do
    if not kept then dropped[#dropped + 1] = jobs[i] end
  end
  unlist(lane, dropped)
end

-- forget_dead drops a failed job for good. It stays in the list of failed jobs for as long as its event is known.
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

-- bury_in keeps a failed job, so that it can be sent again. A lane keeps a limited number, and drops those first that failed first. It returns
-- false where it has dropped the job itself.
local function bury_in(lane, job, reason, attempts)
  local record, dead = base .. 'job:' .. lane .. job, base .. 'dead:' .. lane
  call('HSET', record, 'r', reason, 'n', attempts, 'f', now_text)
  call('HDEL', record, 'x')
  call('PEXPIRE', record, C.kept_dead)
  call('ZADD', dead, now, job)
  schedule_look(lane)
  call('PEXPIRE', dead, C.kept_dead)
  drop_outdated(lane)
  list_failed(lane, job)
  local over = math.min(call('ZCARD', dead) - C.pending, 1 + drops_left)
  if over > 0 or C.id_ttl > C.kept_dead then unlist_dropped(lane) end
  if over > 0 then
    drops_left = drops_left - (over - 1)
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

-- bury ends a job as failed, and keeps it.
local function bury(lane, job, reason, attempts, single)
  write_state(lane, job, STATE.failed, single)
  count_ended(job, bury_in(lane, job, reason, attempts), single)
end

-- is_ending reports whether an account is being deleted, so that nothing may be stored for it.
local opened = {}
local function is_ending(account)
  if opened[account] or not is_customers(account) then return false end
  return call('HEXISTS', base .. 'account:' .. account, 'x') == 1
end

-- open_account makes the record of an account where there is none yet, and reports whether anything may be stored for the account.
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

-- cancel_in notes a job whose lane was deleted, for as long as its event may be known.
local function cancel_in(lane, job)
  local gone = base .. 'gone:' .. lane
  call('ZADD', gone, now, job)
  call('PEXPIRE', gone, math.max(C.id_ttl, C.kept_dead))
end

-- cancel ends a job whose lane was deleted.
local function cancel(lane, job)
  local single = only_lane(job)
  call('DEL', base .. 'job:' .. lane .. job)
  if write_state(lane, job, STATE.cancelled, single) then return end
  cancel_in(lane, job)
  count_ended(job, false, single)
end

-- under_way reports whether a job of a lane is being attempted. It reads all leases once in a call, so it is not for scripts that run often.
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

-- count_waiting adds to the number of jobs that wait in the shard.
local function count_waiting(delta)
  if delta ~= 0 then call('HINCRBY', base .. 'stats', 'waiting', delta) end
end

-- count_waiting_of adds to the numbers of jobs that wait for accounts. An account without any has no entry, so a number that an aborted script
-- has put wrong is right again once it is 0.
local function count_waiting_of(by_account)
  for account, delta in pairs(by_account) do
    if delta ~= 0 and call('HINCRBY', base .. 'pending', account, delta) <= 0 then call('HDEL', base .. 'pending', account) end
  end
end

-- add_waiting adds to the table that count_waiting_of takes. The jobs of a lane without an account are not counted.
local function add_waiting(by_account, account, delta)
  if account then by_account[account] = (by_account[account] or 0) + delta end
end

-- ROOM is how many jobs may wait in a lane even where more than allowed wait in its account.
local ROOM = 1000

-- wake tells the dispatchers of all processes that a lane became ready.
local function wake()
  call('PUBLISH', base .. 'wake', '1')
end

-- claim: hands out due jobs, each with a lease. Before that it takes back the jobs whose leases ran out, and fails those that waited too long. It goes
-- through the lanes in ready in the order in which they were last served, and takes from each no more than its window and its rate allow, so no
-- lane waits behind the backlog of another.
--
-- KEYS[1] the shard's tag
-- ARGV[10] how many jobs to hand out at most, ARGV[11] after how many bytes of payloads to stop, ARGV[12] ms of a lease, ARGV[13] token of this claim,
-- ARGV[14] how many jobs of one lane to hand out at most, ARGV[15…] lanes to pass over
-- Returns ms until the next claim has something to do (-1: not known), ms until the payload of a delivered event may be removed (-1: none, or jobs were
--   handed out), number of notices in the outbox, 1 where jobs are due that were not handed out, the time of this call (ms), number of jobs handed out,
--   number of lanes with jobs that waited too long, for each of these the lane and how many there were; then for each lane with jobs: lane, meta, list of
--   its jobs, a list with three numbers for each of these that has a record (its place in the list, from 0, attempts made, leases in a row that ran out),
--   and lists with the payloads of some jobs each: nil for one that has expired, and only the length of one that the caller is to read by itself.
--
-- Safe to repeat: the jobs of a claim whose answer was lost are due again when their leases run out. A lease that ran out does not count as an attempt.

local most, bytes, lease, token, most_of_lane = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13], tonumber(ARGV[14])
local skip, skipped, suffix = {}, 0, ':' .. token
for i = 15, #ARGV do skip[ARGV[i]] = true; skipped = skipped + 1 end

local ready, leases, ages = base .. 'ready', base .. 'leases', base .. 'ages'
local moved, moved_by_account = 0, {}

-- An empty stream is removed, as it would stay otherwise. As the first write, DEL does what write_when_full does.
local outbox = base .. 'outbox'
local outgoing = call('XLEN', outbox)
if outgoing == 0 then call('DEL', outbox) else write_when_full() end
-- notice adds a notice to the outbox.
local function notice(lane, kind, detail, since, count)
  call('XADD', outbox, 'MAXLEN', '~', 100000, '*', 'k', kind, 'l', lane, 'd', detail, 's', since, 'n', count)
  outgoing = outgoing + 1
end

-- How much one call does at most beside handing out jobs, see lib.lua. What is left is due at once.
local RETURNS = '80' -- jobs whose lease ran out
local ends_left = 40 -- jobs that waited too long
local scan_left = 1000 -- entries of histories that are read to find those
local LANES, NOTICES = '30', '20' -- looks at lanes, and lanes with a notice that was put off
local SERVED = 150 -- lanes that jobs are taken from, and leases that ran out

-- Leases that ran out. Most calls find none, and no lane to look at: so script.go has Redis define the functions for that, take_back and
-- look_through, only when one of them is called.
local expired = call('ZRANGEBYSCORE', leases, '-inf', now_text, 'LIMIT', '0', RETURNS)
local freed = {} -- lane -> how many of its leases ran out

-- take_back ends a lease that ran out, by its member of leases, and has the job wait again.
local function take_back(member)
  local lane, job = string.match(member, '^(.-):([^:]+):[^:]+$')
  local conf = base .. 'conf:' .. lane
  local h = call('HMGET', conf, 'st', 'a')
  local status = h[1]
  if not status or status == 'deleted' then
    cancel(lane, job)
  else
    if is_expunged(job) then
      call('DEL', base .. 'job:' .. lane .. job)
    else
      call('HINCRBY', base .. 'job:' .. lane .. job, 'x', 1)
      call('PEXPIRE', base .. 'job:' .. lane .. job, C.open_ttl)
      wait_again(lane, job, now, true, order_of(lane))
      moved = moved + 1
      add_waiting(moved_by_account, h[2], 1)
    end
    freed[lane] = (freed[lane] or 0) + 1
  end
  call('ZREM', leases, member)
end

-- Jobs that waited too long, and lanes that an abort has left out of ready. The jobs are found by reading idx from where the last look ended (xc), as
-- those that came first are the first to be too old.
local overdue = {}
local renews_left = 60 -- jobs in ordered lanes whose payloads are kept for longer

-- head_since returns since when a job has been the head of an ordered lane, by the lane's hj and ha. It writes them where another was the head.
local function head_since(conf, job, of, since)
  if of == job and since then return tonumber(since) end
  call('HSET', conf, 'hj', job, 'ha', now_text)
  return now
end

-- renew_payloads sets anew when the payloads of jobs that wait in an ordered lane expire, as these may wait for any time. It does so for some in a call,
-- from a rank on, so that each is renewed within a quarter of the time for which a payload is kept. It returns false where the next call has to go on.
local function renew_payloads(lane, conf, key, from)
  local waits = call('ZCARD', key)
  from = tonumber(from) or 0
  if from >= waits then from = 0 end
  local most = math.min(renews_left, math.max(10, math.ceil(4 * waits * SWEEP / C.open_ttl)))
  if most == 0 then return false end
  for _, job in ipairs(call('ZRANGE', key, int(from), int(from + most - 1))) do
    call('PEXPIRE', base .. 'body:' .. job, int(C.open_ttl))
    call('PEXPIRE', base .. 'event:' .. job, int(math.max(C.id_ttl, C.open_ttl)))
    call('PEXPIRE', base .. 'job:' .. lane .. job, int(C.open_ttl))
  end
  renews_left = renews_left - most
  call('HSET', conf, 'rt', int(from + most))
  return true
end

-- look_through ends the jobs of a lane that waited too long, trims its history, and notes when the next look at it is due.
local function look_through(lane)
  local conf, key, idx, late = base .. 'conf:' .. lane, base .. 'lane:' .. lane, base .. 'idx:' .. lane, base .. 'late:' .. lane
  local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap', 'xc', 'hu', 'a', 'ord', 'hj', 'ha', 'rt', 'fr')
  local order = ordered_by(h[8])
  local failed = 0
  -- expire fails a job, if it waits. It returns true where it did.
  local function expire(job)
    if not call('ZSCORE', key, job) then return end
    bury(lane, job, 'expired', tonumber(call('HGET', base .. 'job:' .. lane .. job, 'n')) or 0, only_lane(job))
    call('ZREM', key, job)
    moved, failed = moved - 1, failed + 1
    add_waiting(moved_by_account, h[7], -1)
    return true
  end
  local seen, more, xc = h[5], false, nil
  if call('ZCARD', key) == 0 then
    xc = id_before(C.age) -- nothing waits, so the next look need not read what is too old by now
  elseif order then
    -- Only the head can wait too long: the time of the others begins when they are the head. A job under way is the head, and does not wait.
    local head = (tonumber(h[2]) or 0) == 0 and call('ZRANGE', key, 0, 0)[1]
    if head and now - head_since(conf, head, h[9], h[10]) >= C.age then
      expire(head)
      ends_left = ends_left - 1
      head = call('ZRANGE', key, 0, 0)[1]
      if head then head_since(conf, head) end
    end
    more = h[1] ~= 'disabled' and not renew_payloads(lane, conf, key, h[11])
  elseif now >= (tonumber(h[12]) or 0) + C.age then -- before that, jobs may have waited behind a head while the lane was ordered
    local over = call('ZRANGEBYSCORE', late, '-inf', now, 'LIMIT', 0, int(ends_left))
    for _, job in ipairs(over) do
      expire(job)
      call('ZREM', late, job)
      ends_left = ends_left - 1
    end
    local part = math.min(200, scan_left)
    local old = call('XRANGE', idx, seen and '(' .. seen or '-', id_before(C.age), 'COUNT', int(part))
    scan_left = scan_left - #old
    more = #old == part or call('ZCOUNT', late, '-inf', now) > 0
    for _, entry in ipairs(old) do
      if ends_left == 0 then
        more = true
        break
      end
      local job = entry[2][2]
      if not call('ZSCORE', late, job) and expire(job) then ends_left = ends_left - 1 end
      xc = entry[1]
    end
  end
  if failed > 0 then
    overdue[#overdue + 1] = lane
    overdue[#overdue + 1] = failed
  end
  if h[1] and xc then call('HSET', conf, 'xc', xc) end
  local again = trim_history(lane, order)
  if more then again = now + 1 end
  if call('ZCARD', key) == 0 then
    if again then call('ZADD', ages, again, lane) else call('ZREM', ages, lane) end
  else
    call('ZADD', ages, math.min(again or math.huge, next_look()), lane)
    if failed > 0 and order or not call('ZSCORE', ready, lane) then offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), h[6], 0) end
  end
end

for _, member in ipairs(expired) do take_back(member) end
for lane, count in pairs(freed) do
  local conf = base .. 'conf:' .. lane
  local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap', 'hu')
  local in_flight = math.max((tonumber(h[2]) or 0) - count, 0)
  call('HSET', conf, 'fl', in_flight)
  offer(lane, h[1], in_flight, window_of(h[3], h[4]), h[5], now)
end
for _, lane in ipairs(call('ZRANGEBYSCORE', ages, '-inf', now_text, 'LIMIT', '0', LANES)) do
  if ends_left == 0 or scan_left == 0 then break end
  look_through(lane)
end

-- Notices that were put off for an hour. Where the lane has recovered meanwhile, a notice of that follows, as the last one must say how the lane stands.
for _, lane in ipairs(call('ZRANGEBYSCORE', base .. 'notices', '-inf', now_text, 'LIMIT', '0', NOTICES)) do
  local conf = base .. 'conf:' .. lane
  local h = call('HMGET', conf, 'nc', 'nl', 'ns', 'st')
  if (tonumber(h[1]) or 0) > 0 and h[2] and h[4] and h[4] ~= 'deleted' then
    notice(lane, 'failed', h[2], h[3] or now_text, h[1])
    if h[4] == 'active' then notice(lane, 'recovered', '', h[3] or now_text, 0) end
    call('HSET', conf, 'nt', now_text, 'nc', 0, 'nf', h[4] == 'active' and '0' or '1')
  end
  call('ZREM', base .. 'notices', lane)
end

-- Payloads of delivered jobs whose time is over. That of a job which was sent again meanwhile stays until the job ends again.
local spent = base .. 'spent'
local SPENT = 2 + math.floor(most / 256) -- entries in one call: a settle adds one, and a process claims about as many jobs as it settles
local ends = call('XRANGE', spent, '-', id_before(C.kept), 'COUNT', SPENT)
for _, entry in ipairs(ends) do
  local id, text, delivered, bodies = entry[1], entry[2][2], {}, {}
  local ended = time_of(id)
  for at = 1, #text, JOB do delivered[#delivered + 1] = string.sub(text, at, at + JOB - 1) end
  local again = call('ZMSCORE', base .. 'resent', unpack(delivered))
  for k, job in ipairs(delivered) do
    if not again[k] or tonumber(again[k]) < ended then bodies[#bodies + 1] = base .. 'body:' .. job end
  end
  if #bodies > 0 then call('UNLINK', unpack(bodies)) end
  call('XDEL', spent, id)
  call('ZREMRANGEBYSCORE', base .. 'resent', '-inf', '(' .. int(ended))
end
-- An empty stream is removed, as the outbox is.
if #ends > 0 and call('XLEN', spent) == 0 then call('DEL', spent) end

-- The claim itself. First the jobs are chosen, then they are leased, and only then are they removed from their lanes: see the end of lib.lua's head.
local LANE_SHARE, FAST_SHARE = 4, 2
local FAST = 1000 -- ms since its last success within which a lane is fast
local PAYLOADS = 8 -- payloads to read at once, if so many of the size of the largest so far fit into what is left
-- A payload with more bytes than this is not returned, and the caller reads it by itself: as a string of a script it would cost more than all the rest, as
-- Redis hashes each byte of it. To ask for a length first costs a command for each payload, so it is done only in lanes where lp says that there may
-- be large ones: one was queued or found since the last claim that found none.
local LARGE = 2048
local lanes, takes, held, taken, size, largest = {}, {}, {}, 0, 0, nil
local deadline, due_by = int(now + lease), string.format('%.1f', now + 0.5)

local MOVES, LOOKS = 60, 2000 -- jobs that are moved in one call to put a lane in order, and jobs that are read for it
local moves_left, looks_left = MOVES, LOOKS

-- put_in_order puts the jobs that waited in a lane before it was ordered in the order in which they were published: it moves those that were to be
-- tried again to where they came from. They move towards the front, so the ranks of those behind stay as they are. It returns false where the
-- next call has to go on.
local function put_in_order(lane)
  local conf, key = base .. 'conf:' .. lane, base .. 'lane:' .. lane
  local from = tonumber(call('HGET', conf, 'oc')) or 0
  while moves_left > 0 and looks_left > 0 do
    local part = moves_left
    local waits = call('ZRANGE', key, int(from), int(from + part - 1), 'WITHSCORES')
    for i = 1, #waits, 2 do
      local job, place = waits[i], tonumber(waits[i + 1])
      if place % 1 == 0.5 then
        moves_left = moves_left - 1
        wait_in_front(lane, job, '2', math.floor(place))
      end
    end
    from, looks_left = from + #waits / 2, looks_left - part
    if #waits < 2 * part then
      call('HSET', conf, 'ord', '1')
      call('HDEL', conf, 'oc')
      return true
    end
  end
  call('HSET', conf, 'oc', int(from))
  return false
end

-- lengths_of reads payloads, but of a large one only its length.
local function lengths_of(keys)
  local got = {}
  for k, key in ipairs(keys) do
    local length = call('STRLEN', key)
    got[k] = length > LARGE and length or length > 0 and call('GET', key)
  end
  return got
end

-- take_from chooses up to most_here due jobs of a lane, or the head of an ordered one, and reads their payloads. large tells that these may be large. It
-- returns how many jobs it has chosen, whether more are due, the first of them, and whether a payload is large.
local function take_from(lane, meta, recorded, most_here, order, large)
  local key = base .. 'lane:' .. lane
  -- due_by has a half too, so the half in the score of a job with a record makes it due neither earlier nor later.
  local range, width, count = { 'ZRANGEBYSCORE', key, '-inf', due_by, 'LIMIT', '0', int(most_here + 1) }, 1, 0
  if recorded then range[8], width = 'WITHSCORES', 2 end
  if order then range = { 'ZRANGE', key, '0', '0', 'WITHSCORES' } end
  local due = call(unpack(range))
  if order and due[2] and held_by_head(lane, due[1], tonumber(due[2])) > now then return 0, false end
  if recorded and not order then
    -- Jobs that were the head while the lane was ordered may have a time of their own, which is their due time from now on.
    local kept = {}
    for i = 1, #due, 2 do
      local place = tonumber(due[i + 1])
      local held = place % 1 == HELD and held_by_head(lane, due[i], place) or 0
      if held > now then
        call('ZADD', key, held + 0.5, due[i])
      else
        kept[#kept + 1], kept[#kept + 2] = due[i], due[i + 1]
      end
    end
    due = kept
  end
  local found = #due / width
  local taking, records, payloads, found_large = {}, {}, {}, false
  while count < math.min(found, most_here) and size < bytes do
    local wanted, fit = {}, math.max(1, math.floor((bytes - size) / (largest or bytes)))
    for k = 1, math.min(PAYLOADS, fit, found - count, most_here - count) do wanted[k] = base .. 'body:' .. due[width * (count + k - 1) + 1] end
    local got = large and lengths_of(wanted) or call('MGET', unpack(wanted))
    for k = 1, #wanted do
      if size >= bytes then
        got[k] = nil
      else
        local job, score = due[width * count + 1], recorded and due[width * count + 2]
        if score and string.find(score, '.', 1, true) then
          local r = call('HMGET', base .. 'job:' .. lane .. job, 'n', 'x')
          for _, v in ipairs({ count, tonumber(r[1]) or 0, tonumber(r[2]) or 0 }) do records[#records + 1] = v end
        end
        local length = type(got[k]) == 'number' and got[k] or #(got[k] or '')
        found_large = found_large or length > LARGE
        size, largest = size + length, math.max(largest or 1, length)
        held[#held + 1] = deadline
        held[#held + 1] = lane .. ':' .. job .. suffix
        count = count + 1
        taking[count] = job
      end
    end
    payloads[#payloads + 1] = got
  end
  if count > 0 then
    for _, v in ipairs({ lane, meta or '', taking, records, payloads }) do lanes[#lanes + 1] = v end
  end
  return count, found > count, taking[1], found_large
end

if most > 0 then
  for _, lane in ipairs(call('ZRANGEBYSCORE', ready, '-inf', ready_by, 'LIMIT', '0', int(most + skipped + 16))) do
    if taken >= most or size >= bytes or #takes >= SERVED - #expired then break end
    if not skip[lane] then
      local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'rate', 'tat', 'meta', 'rec', 'ls', 'lt', 'hu', 'a', 'ord', 'hj', 'lp')
      local in_flight, window = tonumber(h[2]) or 0, window_of(h[3], h[4])
      local take = math.min(window - in_flight, most - taken, most_of_lane)
      -- A lane may take only a share of the jobs that are left to hand out, so that some are left for the lanes behind it. A fast lane may take a larger one,
      -- as its attempts end soon: to serve a lane once more costs as much as several jobs.
      if most_of_lane < most then
        local fast = h[9] == '1' and now - (tonumber(h[10]) or 0) < FAST
        take = math.min(take, math.max(1, math.floor((most - taken) / (fast and FAST_SHARE or LANE_SHARE))))
      end
      if not is_served(h[1]) or (tonumber(h[11]) or 0) > now then take = 0 end
      local order = ordered_by(h[13])
      local recorded = h[8] or order
      if order == '2' and (in_flight > 0 or take > 0 and not put_in_order(lane)) then take = 0 end
      -- Rate limit (GCRA): tat is the time from which on the lane keeps its rate with the next job. As many jobs as the rate allows in a twentieth of a
      -- second may go at once, and the others are spread so that no second has more jobs than the rate.
      local rate, tat, step, burst, not_before = tonumber(h[5]), nil, nil, nil, now
      if rate and rate > 0 then
        local at_once = math.max(1, math.floor(rate / 20))
        step = 1000 / (rate - at_once + 1)
        burst = at_once * step
        tat = math.max(tonumber(h[6]) or 0, exact)
        take = math.min(take, math.floor((exact + burst - tat) / step + 1e-6))
        if take < 1 then not_before = math.ceil(tat + step - burst) end
      end
      local count, more, head, large = 0, false, nil, nil
      if take > 0 then count, more, head, large = take_from(lane, h[7], recorded, take, order, h[15] == '1') end
      local set = { 'fl', int(in_flight + count) }
      if count > 0 and step then
        tat = tat + count * step
        set[3], set[4] = 'tat', string.format('%.3f', tat)
        not_before = math.max(now, math.ceil(tat + step - burst))
      end
      if order and head and head ~= h[14] then
        for _, v in ipairs({ 'hj', head, 'ha', now_text }) do set[#set + 1] = v end
      end
      if count > 0 and large ~= (h[15] == '1') then
        for _, v in ipairs({ 'lp', large and '1' or '0' }) do set[#set + 1] = v end
      end
      taken = taken + count
      add_waiting(moved_by_account, h[12], -count)
      takes[#takes + 1] = {
        lane = lane, status = h[1], in_flight = in_flight + count, window = window, count = count, more = more,
        held = h[11], not_before = not_before, set = set, recorded = h[8] and not order,
      }
    end
  end
end
in_parts('ZADD', leases, held)
local turns = {}
for _, t in ipairs(takes) do
  local key, conf = base .. 'lane:' .. t.lane, base .. 'conf:' .. t.lane
  if t.count > 0 then
    call('ZREMRANGEBYRANK', key, '0', int(t.count - 1)) -- the due jobs are the first of their lane
    call('HSET', conf, unpack(t.set))
    if t.recorded and call('EXISTS', key) == 0 then call('HDEL', conf, 'rec') end
  end
  if t.more and t.in_flight < t.window and t.not_before == now then -- offer would come to the same, with more commands
    turns[#turns + 1] = turn_text
    turns[#turns + 1] = t.lane
  else
    offer(t.lane, t.status, t.in_flight, t.window, t.held, t.not_before)
  end
end
in_parts('ZADD', ready, turns)
moved = moved - taken
count_waiting(moved)
count_waiting_of(moved_by_account)

-- When the next claim has something to do.
local wait = -1
-- sooner makes it no later than the first time in a sorted set.
local function sooner(key)
  local head = call('ZRANGE', key, '0', '0', 'WITHSCORES')
  if head[2] then
    local ms = math.max(tonumber(head[2]) - now, 0)
    if wait < 0 or ms < wait then wait = ms end
  end
end
-- Of the lanes in ready the first that is not passed over counts. The caller passes over lanes until one of their attempts ends, not until a time.
local heads = call('ZRANGE', ready, '0', skipped, 'WITHSCORES')
for i = 1, #heads, 2 do
  if not skip[heads[i]] then
    wait = math.max(tonumber(heads[i + 1]) - now, 0)
    break
  end
end
sooner(leases)
sooner(ages)
sooner(base .. 'notices')
local over = -1
if taken == 0 then -- otherwise the next claim comes soon, when these jobs end
  local first = call('XRANGE', spent, '-', '+', 'COUNT', '1')[1]
  if first then over = math.max(time_of(first[1]) + C.kept - now, 0) end
end

local left = is_ready(heads[2]) and 1 or 0
local reply = { wait, over, outgoing, left, now, taken, #overdue / 2 }
for _, v in ipairs(overdue) do reply[#reply + 1] = v end
for _, v in ipairs(lanes) do reply[#reply + 1] = v end
return reply

-- settle: records the outcomes of attempts. It ends, reschedules or buries each job, logs the attempt, ends its lease, updates the lane's window, status
-- and notices, and puts the lane back into ready.
--
-- KEYS[1] the shard's tag
-- ARGV[10] "1" where this process is about to stop, ARGV[11…] groups of attempts, each of one lane and one claim: lane, token, when they were claimed
--   (ms), number of plain successes, and each of these as one text: the job (JOB characters), how long it took (1), and the log entry ("" for none);
--   then number of other outcomes, and for each of these twelve arguments: job, outcome ("ok", "retry", "fail", "gone" or "back"), attempts made, ms
--   until the next attempt, reason (of "fail"; with "ok" and "back" it is "record" where the job has a record), "1" where the window shrinks because
--   the attempt was slow, log entry, "1" where the event has no other lane, what a notice tells of the failure ("" leaves the lane's status as it is; after a
--   "-" the status changes, and there is no notice), ms for which the endpoint asked not to be sent anything (0 for none), how long the attempt
--   took, ms for which all attempts must have failed for the lane to be disabled (0 for never)
--   How long an attempt took is a character, see figures.lua, or "-" where there was no attempt, or it is not counted.
--   A plain success is an "ok" that was not slow, of a job without a record whose event has no other lane.
-- Returns the number of notices in the outbox, and the number of outcomes that were not recorded because their leases had run out.
--
-- "back" hands a job back without an attempt. "gone" ends it as failed and disables the lane. "fail" ends it as failed; with a text for a notice it also
-- marks the lane as failed and tells its owner.
-- Safe to repeat: the first call ends the leases, so the second one records nothing.
-- Hold: no attempt of a lane starts while it is held. A hold ends early where an attempt that began later succeeds, the URL changes, or the owner asks
-- for a retry. Attempts that began before the latest of these ask for no hold any more.
-- Disabling: bs in conf says when the first attempt since the last success failed. It is kept only where the lane may be disabled for that.
-- Failures of attempts that began before the latest success do not count. Whoever changes the status or the URL of a lane removes bs.
-- Notices: the first one goes out at once, then at most one per lane and hour, with the number of deliveries that have failed meanwhile.

local stopping = ARGV[10] == '1'
local PER_OUTCOME = 12
local NO_ATTEMPT = string.byte('-')
local LOG_SLACK = 100
local HOUR = 3600000
local leases, outbox = base .. 'leases', base .. 'outbox'
local lanes, in_order, lost, waited, waited_by_account, handed_back = {}, {}, 0, 0, {}, false

-- lane_of returns what is known of a lane, and reads it at the first call.
local function lane_of(lane)
  local t = lanes[lane]
  if t then return t end
  local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 's', 'fs', 'nt', 'nc', 'nf', 'fix', 'lx', 'hu', 'hb', 'sb', 'a', 'q', 'ord', 'bs')
  t = {
    status = h[1], in_flight = tonumber(h[2]) or 0, cap = cap_of(h[4]), streak = tonumber(h[5]) or 0,
    failed_since = tonumber(h[6]) or 0, noticed = tonumber(h[7]) or 0, unnoticed = tonumber(h[8]) or 0,
    announced = h[9] == '1', fixed = h[10] == '1', log_until = tonumber(h[11]) or 0,
    held = tonumber(h[12]) or 0, hold_began = tonumber(h[13]) or 0, success_began = tonumber(h[14]) or 0, set = {},
    account = h[15], open = h[16], order = ordered_by(h[17]),
    failing_since = tonumber(h[18]),
  }
  t.window = window_of(h[3], h[4]) -- where the window is fixed, w is above any cap, so this is the cap
  lanes[lane] = t
  in_order[#in_order + 1] = lane
  return t
end

-- notice adds a notice to the outbox, in the same step as the failure, so that a crash loses none.
local function notice(lane, kind, detail, since, count)
  call('XADD', outbox, 'MAXLEN', '~', 100000, '*', 'k', kind, 'l', lane, 'd', detail, 's', int(since), 'n', count)
end

-- failed marks a lane as failed or disabled, since a time. ended is how many deliveries failed for good: 0 where the job is to be tried again.
local function failed(t, lane, detail, status, since, ended)
  local before = t.status
  if before == 'disabled' then return end -- its owner was told; this attempt was under way
  if before == 'active' then
    t.failed_since = since
    t.set.fs = int(since)
  end
  if before == 'active' or (before == 'failed' and status == 'disabled') then
    t.status = status
    t.set.st = status
  end
  -- The failure of a notice makes no further notice, unless its lane is disabled by it, which happens only once.
  if string.byte(detail) == 45 then -- "-"
    if t.status ~= 'disabled' then return end
    detail = string.sub(detail, 2)
  end
  t.unnoticed = t.unnoticed + ended
  since = t.failed_since > 0 and t.failed_since or since -- 0 for a paused lane, which does not become failed
  if now - t.noticed >= HOUR or t.status == 'disabled' then
    notice(lane, t.status == 'disabled' and 'disabled' or 'failed', detail, since, t.unnoticed)
    t.noticed, t.unnoticed, t.announced = now, 0, true
    t.set.nf = '1'
    call('ZREM', base .. 'notices', lane)
  else
    t.set.nl = detail
    if t.unnoticed == 1 then t.set.ns = int(since) end
    call('ZADD', base .. 'notices', 'NX', t.noticed + HOUR, lane)
  end
  t.set.nt, t.set.nc = int(t.noticed), t.unnoticed
end

-- hold has no attempt of the lane start for ms, or for longer where it is held for longer already.
local function hold(t, began, ms)
  if ms <= 0 or began < t.success_began then return end
  t.held, t.hold_began = math.max(t.held, math.ceil(exact + ms)), math.max(t.hold_began, began)
  t.set.hu, t.set.hb = int(t.held), int(t.hold_began)
end

-- outlasted reports whether all attempts of a lane have failed for at least ms, this one included.
local function outlasted(t, began, ms)
  if ms <= 0 or began < t.success_began or not is_served(t.status) then return false end
  if not t.failing_since then t.failing_since, t.set.bs = now, now_text end
  return now - t.failing_since >= ms
end

-- succeeded notes on a lane that an attempt which began at a time succeeded: a hold may end, and a failed lane recovers.
local function succeeded(t, lane, began)
  if t.failing_since then
    t.failing_since = nil
    call('HDEL', base .. 'conf:' .. lane, 'bs')
    t.set.bs = nil
  end
  if began > t.success_began then
    t.success_began = began
    t.set.sb = int(began)
  end
  if t.held > 0 and began > t.hold_began then
    t.held, t.set.hu = 0, '0'
  end
  if t.status ~= 'failed' or began <= t.failed_since then return end
  t.status = 'active'
  t.set.st, t.set.fs = 'active', ''
  if t.announced then
    notice(lane, 'recovered', '', t.failed_since, 0)
    t.announced = false
    t.set.nf = '0'
  end
end

-- flow changes the window of a lane. It doubles with each full round of successes, and halves with a failure or a slow attempt.
local function flow(t, bad)
  if t.fixed then return end
  if bad then
    t.window, t.streak = math.max(1, math.floor(t.window / 2)), 0
  elseif t.window < t.cap then
    t.streak = t.streak + 1
    if t.streak >= t.window then t.window, t.streak = math.min(t.window * 2, t.cap), 0 end
  end
end

write_when_full()
local lease_members, deadlines, ended_leases, spent = {}, {}, {}, {}
-- spent removes payloads in time only where they are kept for no longer than their keys have left. Otherwise each payload gets a new end.
local ends_by_spent = C.kept <= C.open_ttl - C.age

-- entry returns the log entry of an attempt.
local function entry(job, text) return job .. now_text .. text end

-- log adds entries to a lane's log. The log is trimmed only once it has LOG_SLACK entries too many, as trimming costs as much as adding.
local function log(t, lane, entries)
  if #entries == 0 then return end
  local key = base .. 'log:' .. lane
  if call('RPUSH', key, unpack(entries)) >= C.log_len + LOG_SLACK then call('LTRIM', key, -C.log_len, -1) end
  t.logged = true
end

-- ours reports whether an outcome's lease is still there, and counts the attempt as ended. Otherwise it counts the outcome as lost.
local function ours(t, place)
  if not deadlines[place] then
    lost = lost + 1
    return false
  end
  ended_leases[#ended_leases + 1] = lease_members[place]
  t.in_flight = t.in_flight - 1
  return true
end

-- tally counts an attempt for the figures of the lane. A lane without an account has none.
local function tally(t, succeeded, took)
  if t.account and took ~= NO_ATTEMPT then t.attempts = count_attempt(t.attempts, succeeded, took) end
end

-- settle_plain records plain successes: count of them, whose texts follow ARGV[from] and whose leases follow a place in members.
local function settle_plain(lane, t, began, from, count, place)
  local entries, done = {}, 0
  for i = 1, count do
    if ours(t, place + i) then
      local text = ARGV[from + i]
      local job = string.sub(text, 1, JOB)
      tally(t, true, string.byte(text, JOB + 1))
      if not write_state(lane, job, STATE.succeeded, true) then
        if #text > JOB + 1 then entries[#entries + 1] = entry(job, string.sub(text, JOB + 2)) end
        if ends_by_spent then spent[#spent + 1] = job else count_ended(job, false, true) end
      end
      done = done + 1
      flow(t, false)
    end
  end
  log(t, lane, entries)
  if done > 0 then
    t.set.ls, t.set.lt = '1', now_text
    if t.status and t.status ~= 'deleted' then succeeded(t, lane, began) end
  end
end

-- settle_one records another outcome, whose arguments begin at a place in ARGV.
local function settle_one(lane, t, began, at)
  local job, outcome, attempts, delay, reason, slow, text, single, detail, pause, took, disable_after = unpack(ARGV, at, at + PER_OUTCOME - 1)
  single = single == '1'
  local gone = not t.status or t.status == 'deleted'
  tally(t, outcome == 'ok', string.byte(took))
  local expunged
  if outcome == 'ok' then expunged = write_state(lane, job, STATE.succeeded, single) else expunged = is_expunged(job) end
  if text ~= '' and not expunged then log(t, lane, { entry(job, text) }) end
  if outcome == 'ok' then
    if reason == 'record' then call('DEL', base .. 'job:' .. lane .. job) end
    if not expunged then count_ended(job, false, single) end
    t.set.ls, t.set.lt = '1', now_text
    flow(t, slow == '1')
    if not gone then succeeded(t, lane, began) end
  elseif expunged then -- the event is not delivered any more
    call('DEL', base .. 'job:' .. lane .. job)
    if outcome ~= 'back' and not gone then hold(t, began, tonumber(pause)) end
  elseif gone then
    cancel(lane, job)
  elseif outcome == 'back' then
    wait_again(lane, job, now, reason == 'record', t.order)
    waited = waited + 1
    add_waiting(waited_by_account, t.account, 1)
    handed_back = true
  else
    if reason ~= 'expired' then
      t.set.ls, t.set.lt = '0', now_text
      flow(t, true)
    end
    hold(t, began, tonumber(pause))
    local disabling = outcome == 'gone' or outlasted(t, began, tonumber(disable_after))
    if outcome == 'retry' then
      local record = base .. 'job:' .. lane .. job
      write_state(lane, job, STATE.retrying, single)
      call('HSET', record, 'n', attempts)
      call('HDEL', record, 'x')
      call('PEXPIRE', record, C.open_ttl)
      local due = math.ceil(exact + tonumber(delay))
      wait_again(lane, job, due, true, t.order)
      waited = waited + 1
      add_waiting(waited_by_account, t.account, 1)
    else
      bury(lane, job, reason, attempts, single)
    end
    if detail ~= '' and (disabling or outcome ~= 'retry') then
      local since = disabling and outcome ~= 'gone' and t.failing_since or now
      failed(t, lane, detail, disabling and 'disabled' or 'failed', since, outcome == 'retry' and 0 or 1)
    end
  end
end

-- each_group calls f for every group, with its lane, what a member of leases ends with (":" and the token), when its attempts began, the place in ARGV
-- in front of its plain successes, their number, the place of its other outcomes, and their number.
local function each_group(f)
  local at = 11
  while ARGV[at] do
    local plain = tonumber(ARGV[at + 3])
    local others = tonumber(ARGV[at + 4 + plain])
    f(ARGV[at], ':' .. ARGV[at + 1], tonumber(ARGV[at + 2]), at + 3, plain, at + 5 + plain, others)
    at = at + 5 + plain + others * PER_OUTCOME
  end
end

each_group(function(lane, suffix, _, from, plain, at, others)
  local prefix = lane .. ':'
  for i = 1, plain do lease_members[#lease_members + 1] = prefix .. string.sub(ARGV[from + i], 1, JOB) .. suffix end
  for i = 0, others - 1 do lease_members[#lease_members + 1] = prefix .. ARGV[at + i * PER_OUTCOME] .. suffix end
end)
if #lease_members > 0 then deadlines = call('ZMSCORE', leases, unpack(lease_members)) end
local place = 0
each_group(function(lane, _, began, from, plain, at, others)
  local t = lane_of(lane)
  settle_plain(lane, t, began, from, plain, place)
  place = place + plain
  for i = 0, others - 1 do
    place = place + 1
    if ours(t, place) then settle_one(lane, t, began, at + i * PER_OUTCOME) end
  end
end)
-- Leases are ended last: an abort before leaves them, so that the jobs are attempted again.
if #ended_leases > 0 then call('ZREM', leases, unpack(ended_leases)) end
if #spent > 0 then call('XADD', base .. 'spent', '*', 'j', table.concat(spent)) end

-- A lane that is in ready, can be served and has a free place keeps its turn, so it is not offered again.
local turns = #in_order > 0 and call('ZMSCORE', base .. 'ready', unpack(in_order)) or {}
local accounts = {}
for i, lane in ipairs(in_order) do
  local t, conf = lanes[lane], base .. 'conf:' .. lane
  if t.attempts then
    accounts[t.account] = accounts[t.account] or new_part(0)
    add_part(accounts[t.account], t.attempts)
    if t.status and t.status ~= 'deleted' then t.set.q = counted(t.open, t.attempts, base .. 'figures:w:' .. lane, false) end
  end
  t.in_flight = math.max(t.in_flight, 0)
  -- The log's time to live is set anew once an hour, not with every attempt.
  if t.logged and now > t.log_until then
    call('PEXPIRE', base .. 'log:' .. lane, C.log_ttl + HOUR)
    if t.status then t.set.lx = int(now + HOUR) end
  end
  if t.status then
    local set = { 'fl', int(t.in_flight) }
    if not t.fixed then t.set.w, t.set.s = int(t.window), int(t.streak) end
    for k, v in pairs(t.set) do
      set[#set + 1] = k
      set[#set + 1] = v
    end
    call('HSET', conf, unpack(set))
    local in_place = is_ready(turns[i]) and is_served(t.status) and t.in_flight < t.window and t.held <= now and not t.order
    if not in_place then offer(lane, t.status, t.in_flight, t.window, t.held, 0) end
  end
end
count_accounts(accounts)
count_waiting(waited)
count_waiting_of(waited_by_account)
-- Other processes are to take what was handed back, and do not know yet when the jobs are due that a stopping process has rescheduled.
if handed_back or stopping and waited > 0 then wake() end

return { call('XLEN', outbox), lost }

-- resend: makes jobs of one lane due now, with a retry table that begins anew.
--
-- KEYS[1] the shard's tag
-- ARGV[10] lane, ARGV[11] the key of a cursor without the tag ("" for none), ARGV[12] the cursor's value now, ARGV[13] its value after the call, ARGV[14] who
--   moves it, ARGV[15] ms for which nobody else may, ARGV[16] ms between two moves of the lane's cursors, ARGV[17] how many jobs may wait in an account,
--   ARGV[18…] jobs
-- Returns for each job: "queued", "under way" (it is being attempted, or not queued in the lane for the first time yet), "unavailable" (its payload has
--   expired), "disabled" (its lane is), "unknown" (it is none of the lane's), or "backlog" (as many wait as may). With a cursor it may answer one word,
--   and change nothing: "moved" (the cursor has another value, or somebody else moves it), "backlog" (not all of the jobs fit), or "soon" (the lane's
--   cursors would move too fast).
--
-- The cursor is a hash: cursor its value, owner who moves it, until when only that one may, sent how many jobs were queued, and not:<outcome> how many were
-- not and why. It moves in the same step as the jobs, so whoever goes through jobs with it can stop anywhere, and neither skips nor repeats one.
-- Safe to repeat: a job that waits already only becomes due.

local lane, cursor_key, from, to, owner, hold, pace, most_waiting = unpack(ARGV, 10, 17)
pace, most_waiting = tonumber(pace), tonumber(most_waiting)
local key, dead, conf = base .. 'lane:' .. lane, base .. 'dead:' .. lane, base .. 'conf:' .. lane
local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap', 'hu', 'a', 'ord', 'os')
local order, last_place = ordered_by(h[7]), h[8]
local reply, added, refused = {}, 0, {}

-- room reports whether so many more jobs may wait in the lane, by its own limit and by that of its account.
local function room(more)
  local waits = call('ZCARD', key) + more
  if waits > C.pending then return false end
  return waits <= ROOM + 1 or not h[6] or (tonumber(call('HGET', base .. 'pending', h[6])) or 0) + added + more <= most_waiting
end

local cursor = cursor_key ~= '' and base .. cursor_key
if cursor then
  local c = call('HMGET', cursor, 'cursor', 'owner', 'until')
  if c[1] ~= from or (c[2] and c[2] ~= owner and (tonumber(c[3]) or 0) > now) then return 'moved' end
  if not room(#ARGV - 17) then return 'backlog' end
end
-- GCRA, as for the rate of a lane in claim.lua. A call may come a tenth of the pace early, otherwise one that is made by a ticker would often be refused.
local turn = 0
if cursor and #ARGV > 17 and pace > 0 then
  turn = math.max(tonumber(call('HGET', conf, 'rp')) or 0, now)
  if turn - now > pace / 10 then return 'soon' end
end

-- went_here reports whether a job is one of this lane, so that the lane may have its payload; and whether it is not queued here yet.
local function went_here(event, job)
  local e = call('HMGET', event, 'l', 'p')
  if e[1] then
    local at = place_of_lane(e[1], lane)
    return at, not_reached(e[2], at)
  end
  return call('ZSCORE', dead, job) or call('ZSCORE', key, job)
end

-- A job in spent keeps its payload if resent has it with a later time, see claim.lua. Where Redis' clock went back, that is the time of the last entry.
-- If spent is empty there is no need for it, and nothing would remove it from resent again.
local last = call('XREVRANGE', base .. 'spent', '+', '-', 'COUNT', 1)[1]
local mark = last and int(math.max(now, time_of(last[1])))

-- wait_at_end has a job wait at the end of an ordered lane.
local function wait_at_end(job)
  last_place = next_place(last_place)
  schedule_look(lane)
  call('HSET', conf, 'os', place_text(last_place))
  call('ZADD', key, place_text(last_place), job)
end

-- keeps_its_place reports whether a job that waits in an ordered lane stays where it is. One that was not attempted yet does, as first attempts are
-- promised to be in the order of publishing. In a receiver's queue, whose lane has no account, every job stays.
local function keeps_its_place(record) return not h[6] or not call('HGET', record, 'n') end

local queued, again = false, {}
write_when_full()
for i = 18, #ARGV do
  local job = ARGV[i]
  local event, body, record = base .. 'event:' .. job, base .. 'body:' .. job, base .. 'job:' .. lane .. job
  local outcome = 'queued'
  local here, not_queued_yet = went_here(event, job)
  if not h[1] or h[1] == 'deleted' or not here then
    outcome = 'unknown'
  elseif h[1] == 'disabled' then
    outcome = 'disabled'
  elseif not_queued_yet then
    outcome = 'under way'
  elseif call('EXISTS', body) == 0 then
    outcome = call('EXISTS', event) == 1 and 'unavailable' or 'unknown'
  elseif call('ZSCORE', key, job) then
    write_state(lane, job, STATE.pending, only_lane(job))
    local stays = order and keeps_its_place(record)
    call('DEL', record)
    if not order then call('ZADD', key, now, job) elseif not stays then wait_at_end(job) end
    wait_until(lane, job, now + C.age)
  elseif under_way(lane, job) then
    outcome = 'under way'
  elseif not room(1) then
    outcome = 'backlog'
  else
    wait_until(lane, job, now + C.age)
    local was_dropped = call('HDEL', event, 'x:' .. lane) == 1
    if order then wait_at_end(job) else wait_in(lane, job, now, false) end
    added = added + 1
    write_state(lane, job, STATE.pending, only_lane(job))
    local was_dead = call('ZREM', dead, job) == 1
    if was_dead or was_dropped then call('ZREM', base .. 'failed:' .. lane, job) end
    if not only_lane(job) then
      call('HINCRBY', event, 'o', 1)
      if was_dead then call('HINCRBY', event, 'd', -1) end
    elseif mark then
      call('ZADD', base .. 'resent', mark, job)
      call('PEXPIRE', base .. 'resent', C.open_ttl)
    end
    call('DEL', record)
    call('PEXPIRE', body, C.open_ttl)
    call('PEXPIRE', event, math.max(C.open_ttl, C.id_ttl))
    again[#again + 1] = now_text
    again[#again + 1] = job
  end
  queued = queued or outcome == 'queued'
  if outcome ~= 'queued' then refused[outcome] = (refused[outcome] or 0) + 1 end
  reply[#reply + 1] = outcome
end

if h[1] then
  -- This is the owner's request, so it ends a hold that the endpoint asked for. A replay ends it only with its first step.
  local held = h[5]
  if queued and (not cursor or (tonumber(call('HGET', cursor, 'sent')) or 0) == 0) then
    held = nil
    call('HSET', conf, 'hu', '0', 'sb', now_text) -- attempts under way may ask for no hold any more
  end
  offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), held, 0)
  wake()
end
if #again > 0 and h[6] and string.sub(h[6], 1, 1) ~= '~' then
  -- Their events are known for longer than they are in the account's list.
  local key = base .. 'again:' .. h[6]
  call('ZREMRANGEBYSCORE', key, '-inf', id_before(EVENTS_TTL + C.id_ttl))
  in_parts('ZADD', key, again)
  call('PEXPIRE', key, int(EVENTS_TTL + C.id_ttl))
end
if cursor then
  call('HINCRBY', cursor, 'sent', added)
  for outcome, count in pairs(refused) do call('HINCRBY', cursor, 'not:' .. outcome, count) end
  if turn > 0 and h[1] then call('HSET', conf, 'rp', int(turn + pace)) end
  call('HSET', cursor, 'cursor', to, 'owner', owner, 'until', int(now + tonumber(hold)))
end
count_waiting(added)
local by_account = {}
add_waiting(by_account, h[6], added)
count_waiting_of(by_account)
return reply

-- resend: makes jobs of one lane due now, with a fresh retry table.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] key of a cursor ("" for none; the tag is put in front), ARGV[12] its value now, ARGV[13] its value
--   afterwards, ARGV[14] who moves it, ARGV[15] ms for which nobody else may, ARGV[16] ms between moves of a lane's cursors,
--   ARGV[17] most jobs that may wait in an account, ARGV[18…] jobs
-- Returns for each: "queued", "under way" (being attempted right now, or yet to be queued here for the first time), "unavailable" (the payload has expired),
--   "disabled" (its lane is), "unknown", or "backlog" (the lane takes no more). With a cursor, instead of a list and with nothing changed: "moved" (it has another value,
--   or somebody else moves it), "backlog" (not all jobs fit), "soon" (the lane's cursors together would move too fast).
-- The cursor is a hash: cursor, owner, until, sent, and not:<outcome> how many were not queued and why. It moves in the same step as the jobs, so a job that goes through its
-- jobs this way can be resumed anywhere and neither skips nor repeats any.
--
-- Safe to repeat: a job that waits already only becomes due.

local lane, cursor_key, from, to, owner, hold, pace, most_waiting = unpack(ARGV, 10, 17)
pace, most_waiting = tonumber(pace), tonumber(most_waiting)
local key, dead, conf = base .. 'lane:' .. lane, base .. 'dead:' .. lane, base .. 'conf:' .. lane
local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap', 'hu', 'a', 'ord', 'os')
local order, last_place = ordered_by(h[7]), h[8]
local reply, added, refused = {}, 0, {}

-- room reports whether the lane takes so many more jobs: beside its own limit there is that of its account.
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
-- GCRA, as of a lane's rate in claim.lua. A tenth of a step early is in time, or a ticker would miss every second one.
local turn = 0
if cursor and #ARGV > 17 and pace > 0 then
  turn = math.max(tonumber(call('HGET', conf, 'rp')) or 0, now)
  if turn - now > pace / 10 then return 'soon' end
end

-- went_here reports whether a job is one of this lane: another lane's payload is not for it; and whether it has yet to come to it.
local function went_here(event, job)
  local e = call('HMGET', event, 'l', 'p')
  if e[1] then
    local at = place_of_lane(e[1], lane)
    return at, not_reached(e[2], at)
  end
  return call('ZSCORE', dead, job) or call('ZSCORE', key, job)
end

-- Jobs in spent keep their payloads where they are marked as sent again, see claim.lua: as of the last entry where Redis'
-- clock went back since. Where spent is empty nothing would take a mark away again.
local last = call('XREVRANGE', base .. 'spent', '+', '-', 'COUNT', 1)[1]
local mark = last and int(math.max(now, time_of(last[1])))

-- last_of_all has a job wait at the end of an ordered lane.
local function last_of_all(job)
  last_place = next_place(last_place)
  schedule_look(lane)
  call('HSET', conf, 'os', place_text(last_place))
  call('ZADD', key, place_text(last_place), job)
end

-- keeps_its_turn reports whether a job that waits in an ordered lane stays where it is. What has yet to be attempted for the first time does, as
-- that is promised to come in the order of publishing. A queue's lane, which is nobody's, has no such order to keep by hand.
local function keeps_its_turn(record) return not h[6] or not call('HGET', record, 'n') end

local queued, again = false, {}
write_when_full()
for i = 18, #ARGV do
  local job = ARGV[i]
  local event, body, record = base .. 'event:' .. job, base .. 'body:' .. job, base .. 'job:' .. lane .. job
  local outcome = 'queued'
  local here, comes = went_here(event, job)
  if not h[1] or h[1] == 'deleted' or not here then
    outcome = 'unknown'
  elseif h[1] == 'disabled' then
    outcome = 'disabled'
  elseif comes then
    outcome = 'under way'
  elseif call('EXISTS', body) == 0 then
    outcome = call('EXISTS', event) == 1 and 'unavailable' or 'unknown'
  elseif call('ZSCORE', key, job) then
    write_state(lane, job, STATE.pending, only_lane(job))
    local stays = order and keeps_its_turn(record)
    call('DEL', record)
    if not order then call('ZADD', key, now, job) elseif not stays then last_of_all(job) end
    wait_until(lane, job, now + C.age)
  elseif under_way(lane, job) then
    outcome = 'under way'
  elseif not room(1) then
    outcome = 'backlog'
  else
    wait_until(lane, job, now + C.age)
    local was_dropped = call('HDEL', event, 'x:' .. lane) == 1
    if order then last_of_all(job) else wait_in(lane, job, now, false) end
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
  -- The owner asks: an endpoint that asked for a pause gets it tried now. A replay asks once, or it would ask again with each step.
  local held = h[5]
  if queued and (not cursor or (tonumber(call('HGET', cursor, 'sent')) or 0) == 0) then
    held = nil
    call('HSET', conf, 'hu', '0', 'sb', now_text) -- nor may attempts that are under way ask for it any more
  end
  offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), held, 0)
  wake()
end
if #again > 0 and h[6] and string.sub(h[6], 1, 1) ~= '~' then
  -- Their events are known for longer than they are listed.
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
local by = {}
add_waiting(by, h[6], added)
count_waiting_of(by)
return reply

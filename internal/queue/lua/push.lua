-- push: takes events in: recognises repeated IDs, finds the lanes, and queues a job in each. One atomic step, so an
-- event that is answered for is queued, and one that is not answered for is not remembered either.
--
-- KEYS[1] the shard
-- ARGV[10] number of events, then for each:
--   account, ID, own ("1": the ID was made for this call, so nobody can have used it), the job that an ID of our own
--   form stands for (or ""), job, type, timestamp, given ("1": the publisher gave the timestamp), digest,
--   lane ("", the only lane it goes to, or "!" and a lane that doesn't get it), topics (joined by spaces), payload
-- Returns for each event: outcome, job, timestamp, lanes, and of these the ones in which it failed at once, as <lane>:<reason> (both
--   joined by spaces).
--   outcome "new", "same" (the first answer again), "other" (the ID stands for another event), "taken" (job exists: call again with another)
--
-- Safe to repeat: a second call with the same ID finds the first one's event.

local PER_EVENT = 12
local reply, waited, woken = {}, 0, false

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

-- queue puts one job into one lane. Where that takes none, it fails the job and returns why.
local function queue(lane, job)
  local conf = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap')
  call('XADD', base .. 'idx:' .. lane, '*', 'j', job)
  if conf[1] == 'disabled' then
    bury_in(lane, job, 'disabled', 0)
    return 'disabled'
  end
  local key = base .. 'lane:' .. lane
  local card = call('ZCARD', key)
  if card >= C.pending then
    bury_in(lane, job, 'backlog', 0)
    return 'backlog'
  end
  call('ZADD', key, now, job)
  if card == 0 then call('ZADD', base .. 'ages', 'NX', next_look(now), lane) end
  if served(conf[1]) and (tonumber(conf[2]) or 0) < window_of(conf[3], conf[4]) then
    if call('ZADD', base .. 'ready', 'LT', 'CH', now, lane) == 1 then woken = true end
  end
end

for i = 1, tonumber(ARGV[10]) do
  local at = 10 + (i - 1) * PER_EVENT
  local account, id, own, own_job, job = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local kind, timestamp, given, digest = ARGV[at + 6], ARGV[at + 7], ARGV[at + 8], ARGV[at + 9]
  local outcome, lanes, refused = 'new', '', ''
  local seen, e
  if own ~= '1' then seen, e = known(account, id, own_job) end
  if seen then
    outcome, job, lanes = 'same', seen, e[4] or ''
    if e[2] ~= digest or (given == '1' and e[3] ~= timestamp) then outcome = 'other' end
    timestamp = e[3]
  else
    local to
    local lane = ARGV[at + 10]
    if lane ~= '' and string.sub(lane, 1, 1) ~= '!' then
      to = { lane }
    else
      local topics = {}
      for topic in string.gmatch(ARGV[at + 11], '%S+') do topics[#topics + 1] = base .. 'topic:' .. topic end
      to = call('SUNION', unpack(topics))
      if #to > 1 then table.sort(to) end
      for i = #to, 1, -1 do
        if '!' .. to[i] == lane then table.remove(to, i) end
      end
    end
    if call('EXISTS', base .. 'event:' .. job) == 1 then
      outcome = 'taken'
    else
      local open, dead = 0, 0
      if #to > 0 then call('SET', base .. 'body:' .. job, (#to == 1 and '1' or '+') .. ARGV[at + 12], 'PX', C.open_ttl) end
      for _, lane in ipairs(to) do
        local why = queue(lane, job)
        if why then
          dead = dead + 1
          refused = refused .. lane .. ':' .. why .. ' '
        else
          open = open + 1
        end
      end
      waited = waited + open
      lanes = table.concat(to, ' ')
      local record = base .. 'event:' .. job
      call('HSET', record, 'a', account, 'y', kind, 't', timestamp, 'h', digest, 'l', lanes, 'c', int(now))
      if #to > 1 then call('HSET', record, 'o', open, 'd', dead) end
      if own ~= '1' and own_job ~= job then
        call('HSET', record, 'i', id)
        call('SET', base .. 'id:' .. account .. ':' .. id, job, 'PX', math.max(C.id_ttl, C.open_ttl))
      end
      if open > 0 then
        call('PEXPIRE', record, math.max(C.id_ttl, C.open_ttl))
      elseif dead > 0 then
        call('PEXPIRE', record, math.max(C.id_ttl, C.kept_dead))
        call('PEXPIRE', base .. 'body:' .. job, C.kept_dead)
      else
        call('PEXPIRE', record, C.id_ttl)
      end
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

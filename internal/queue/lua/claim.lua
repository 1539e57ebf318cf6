-- claim: hands out due jobs under a lease, after giving back those whose lease ran out and failing those that waited
-- too long. Walks the ready lanes in the order in which they were last served, and takes from each no more than its
-- window and its rate allow, so that a long backlog never stands in front of others.
--
-- KEYS[1] the shard
-- ARGV[10] most jobs, ARGV[11] most payload bytes, ARGV[12] lease in ms, ARGV[13] token of this claim,
-- ARGV[14] most jobs from one lane, ARGV[15…] lanes to pass over
-- Returns: ms until there is something to do (-1: nothing known), now, notices in the outbox, number of lanes, number of jobs, number of
--   lanes with jobs that waited too long, for each of these: lane, how many it were, for each lane: lane, meta; for each job: index of its lane, job, attempts made, leases expired, payload or "" where it is gone
--
-- Safe to repeat: jobs of a claim whose answer was lost come back when their leases run out. A crash is not an attempt.

local most, bytes, lease, token, quantum = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13], tonumber(ARGV[14])
local skip, skipped, suffix = {}, 0, ':' .. token
for i = 15, #ARGV do skip[ARGV[i]] = true; skipped = skipped + 1 end

local ready, leases, ages = base .. 'ready', base .. 'leases', base .. 'ages'
local moved, none = 0, {}

-- Leases that ran out.
local expired = call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 200)
local freed = {}
for _, member in ipairs(expired) do
  local lane, job = string.match(member, '^(.-):([^:]+):[^:]+$')
  local conf = base .. 'conf:' .. lane
  local status = call('HGET', conf, 'st')
  if not status or status == 'deleted' then
    cancel(lane, job)
  else
    call('HINCRBY', base .. 'job:' .. lane .. job, 'x', 1)
    call('PEXPIRE', base .. 'job:' .. lane .. job, C.open_ttl)
    wait_in(lane, job, now, true)
    moved = moved + 1
    freed[lane] = (freed[lane] or 0) + 1
  end
  call('ZREM', leases, member)
end
for lane, count in pairs(freed) do
  local conf = base .. 'conf:' .. lane
  local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap')
  local in_flight = math.max((tonumber(h[2]) or 0) - count, 0)
  call('HSET', conf, 'fl', in_flight)
  offer(lane, h[1], in_flight, window_of(h[3], h[4]), now)
end

-- Jobs that waited too long, old history, and a ready set that lost a lane.
local overdue = {}
local look = call('ZRANGEBYSCORE', ages, '-inf', now, 'LIMIT', 0, 100)
for _, lane in ipairs(look) do
  local conf, idx = base .. 'conf:' .. lane, base .. 'idx:' .. lane
  local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap', 'xc')
  local from, oldest, more = h[5] or '-', now, true
  local old, failed = call('XRANGE', idx, from, int(now - C.age), 'COUNT', 200), 0
  for _, entry in ipairs(old) do
    local job = entry[2][2]
    if h[5] ~= entry[1] and call('ZSCORE', base .. 'lane:' .. lane, job) then
      bury(lane, job, 'expired', tonumber(call('HGET', base .. 'job:' .. lane .. job, 'n')) or 0, only_lane(job))
      call('ZREM', base .. 'lane:' .. lane, job)
      moved, failed = moved - 1, failed + 1
    end
    from = entry[1]
  end
  if failed > 0 then
    overdue[#overdue + 1] = lane
    overdue[#overdue + 1] = failed
  end
  if #old > 0 and h[1] then call('HSET', conf, 'xc', from) end
  if #old < 200 then
    local first = call('XRANGE', idx, int(now - C.age + 1), '+', 'COUNT', 1)
    if first[1] then oldest = tonumber(string.match(first[1][1], '^%d+')) end
    call('XTRIM', idx, 'MINID', '~', int(now - math.max(C.id_ttl, C.age)))
  else
    oldest = now - C.age -- more of them: look again at once
  end
  if call('ZCARD', base .. 'lane:' .. lane) == 0 then
    call('ZREM', ages, lane)
  else
    call('ZADD', ages, next_look(oldest), lane)
    if not call('ZSCORE', ready, lane) then offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), 0) end
  end
end

-- Notices that an hour held back.
for _, lane in ipairs(call('ZRANGEBYSCORE', base .. 'notices', '-inf', now, 'LIMIT', 0, 50)) do
  local conf = base .. 'conf:' .. lane
  local h = call('HMGET', conf, 'nc', 'nl', 'fs', 'st')
  if (tonumber(h[1]) or 0) > 0 and h[2] and h[4] ~= 'deleted' then
    call('XADD', base .. 'outbox', 'MAXLEN', '~', 100000, '*', 'k', 'failed', 'l', lane, 'd', h[2], 's', h[3] or '', 'n', h[1])
    call('HSET', conf, 'nt', int(now), 'nc', 0, 'nf', '1')
  end
  call('ZREM', base .. 'notices', lane)
end

-- The claim itself.
local lanes, jobs, taken, size = {}, {}, 0, 0
if most > 0 then
  for _, lane in ipairs(call('ZRANGEBYSCORE', ready, '-inf', now, 'LIMIT', 0, most + skipped + 16)) do
    if taken >= most or size >= bytes then break end
    if not skip[lane] then
      local key, conf = base .. 'lane:' .. lane, base .. 'conf:' .. lane
      local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap', 'rate', 'tat', 'meta')
      local in_flight, window = tonumber(h[2]) or 0, window_of(h[3], h[4])
      local take = math.min(window - in_flight, most - taken, quantum)
      if not served(h[1]) then take = 0 end
      -- Rate limit (GCRA): tat is the time at which the lane would be within its rate again; a tenth of a second of burst.
      local rate, tat, step, not_before = tonumber(h[5]), nil, nil, now
      if rate and rate > 0 then
        step = 1000 / rate
        tat = math.max(tonumber(h[6]) or 0, now)
        local burst = math.max(100, step)
        take = math.min(take, math.floor((now + burst - tat) / step + 1e-6))
        if take < 1 then not_before = math.ceil(tat + step - burst) end
      end
      local count = 0
      if take > 0 then
        -- The half of a job with a record must not make it due earlier or later than its time.
        local due = call('ZRANGEBYSCORE', key, '-inf', now + 0.5, 'WITHSCORES', 'LIMIT', 0, take)
        local held, out = {}, {}
        for i = 1, #due, 2 do
          local job, record = due[i], none
          local body = call('GET', base .. 'body:' .. job) or ''
          if string.find(due[i + 1], '.', 1, true) then record = call('HMGET', base .. 'job:' .. lane .. job, 'n', 'x') end
          if count == 0 then
            lanes[#lanes + 1] = lane
            lanes[#lanes + 1] = h[7] or ''
          end
          jobs[#jobs + 1] = #lanes / 2
          jobs[#jobs + 1] = job
          jobs[#jobs + 1] = tonumber(record[1]) or 0
          jobs[#jobs + 1] = tonumber(record[2]) or 0
          jobs[#jobs + 1] = body
          count = count + 1
          held[#held + 1] = now + lease
          held[#held + 1] = lane .. ':' .. job .. suffix
          out[#out + 1] = job
          size = size + #body
          if size >= bytes then break end
        end
        if count > 0 then
          call('ZADD', leases, unpack(held))
          call('ZREM', key, unpack(out))
          taken, moved = taken + count, moved - count
          in_flight = in_flight + count
          if step then
            tat = tat + count * step
            call('HSET', conf, 'fl', in_flight, 'tat', string.format('%.3f', tat))
            not_before = math.max(now, math.ceil(tat + step - math.max(100, step)))
          else
            call('HSET', conf, 'fl', in_flight)
          end
        end
      end
      offer(lane, h[1], in_flight, window, not_before)
    end
  end
end
waiting(moved)

-- When to come back.
local wait = -1
local function sooner(key)
  local head = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  if head[2] then
    local ms = math.max(tonumber(head[2]) - now, 0)
    if wait < 0 or ms < wait then wait = ms end
  end
end
-- Of the ready lanes the first that is not passed over counts: the others wait for an attempt to end, not for a time.
local heads = call('ZRANGE', ready, 0, skipped, 'WITHSCORES')
for i = 1, #heads, 2 do
  if not skip[heads[i]] then
    wait = math.max(tonumber(heads[i + 1]) - now, 0)
    break
  end
end
sooner(leases)
sooner(ages)
sooner(base .. 'notices')

local reply = { wait, int(now), call('XLEN', base .. 'outbox'), #lanes / 2, taken, #overdue / 2 }
for _, v in ipairs(overdue) do reply[#reply + 1] = v end
for _, v in ipairs(lanes) do reply[#reply + 1] = v end
for _, v in ipairs(jobs) do reply[#reply + 1] = v end
return reply

-- move: moves the events of a queue to another queue of the same receiver, or drops them: for a deliver block that was renamed or removed.
--
-- KEYS[1] the tag of the queue, see lib.lua of internal/queue
-- ARGV[10] lane, ARGV[11] the receiver's tag, ARGV[12] the tag of the other queue, in the receiver's slot ("" drops the events), ARGV[13] how many events
--   this call may take, ARGV[14] how many may wait in the other queue
-- Returns how many events it moved or dropped, how many are left that a later call can take, how many somebody is delivering, and "1" where the
--   other queue is full.
--
-- An event keeps its time and the attempts that were made: one that waited waits in the other queue, and a dead one is dead there. One that a
-- gateway was delivering which died counts as waiting, as in a queue without workers nobody else hands it back.
-- Safe to repeat: an event is written to the other queue first, under the same name, and only then removed from this one.

local lane, root, target, most, room = ARGV[10], ARGV[11], ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])
local source = base
local BYTES = 4 * 1024 * 1024 -- of payloads that one call copies
local taken, size, full, waited, fresh = 0, 0, '', 0, 0

if target == '' then write_when_full() end

-- keys_of returns the keys of the payload and the record of a job in a queue.
local function keys_of(tag, job) return tag .. 'body:' .. job, tag .. 'job:' .. lane .. job end

-- copied copies the payload and the record of a job to the other queue. It returns false where the payload has expired: such a job can't be delivered.
local function copied(job)
  local body, record = keys_of(source, job)
  local body_there, record_there = keys_of(target, job)
  size = size + call('STRLEN', body)
  call('COPY', record, record_there, 'REPLACE')
  return call('COPY', body, body_there, 'REPLACE') == 1
end

-- leave removes what this queue has of a job beside its place, and counts the job.
local function leave(job)
  base = source
  local body, record = keys_of(source, job)
  call('ZREM', base .. 'late:' .. lane, job)
  call('DEL', body, record)
  taken = taken + 1
end

local waiting_there = 0
if target ~= '' then
  base = target
  if call('EXISTS', base .. 'conf:' .. lane) == 0 then make_lane(lane, root) end
  waiting_there = call('ZCARD', base .. 'lane:' .. lane)
  base = source
end

local function go_on() return taken < most and size < BYTES end

-- wait_there has a job wait in the other queue, where there is one. It returns false where that is full.
local function wait_there(job, due)
  if target == '' then return true end
  if waiting_there + fresh >= room then
    full = '1'
    return false
  end
  if copied(job) then
    base = target
    wait_in(lane, job, due, call('EXISTS', base .. 'job:' .. lane .. job) == 1)
    base = source
    fresh = fresh + 1
  end
  return true
end

local leases = base .. 'leases'
local expired = call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, int(most))
for _, member in ipairs(expired) do
  local job = string.match(member, '^.-:([^:]+):[^:]+$')
  if not go_on() then break end
  call('HINCRBY', base .. 'job:' .. lane .. job, 'x', 1)
  if not wait_there(job, now) then break end
  call('ZREM', leases, member)
  leave(job)
end
local waits = call('ZRANGE', base .. 'lane:' .. lane, 0, int(most - 1), 'WITHSCORES')
for i = 1, #waits, 2 do
  local job = waits[i]
  local place = tonumber(waits[i + 1])
  if not go_on() or not wait_there(job, place % 1 == HELD and place - 0.5 or math.floor(place)) then break end
  call('ZREM', base .. 'lane:' .. lane, job)
  waited = waited + 1
  leave(job)
end
local dead = call('ZRANGE', base .. 'dead:' .. lane, 0, int(most - 1), 'WITHSCORES')
for i = 1, #dead, 2 do
  local job = dead[i]
  if not go_on() then break end
  if target ~= '' and copied(job) then
    call('ZADD', target .. 'dead:' .. lane, dead[i + 1], job)
    call('PEXPIRE', target .. 'dead:' .. lane, C.kept_dead)
  end
  call('ZREM', base .. 'dead:' .. lane, job)
  leave(job)
end
count_waiting(-waited)

if fresh > 0 then
  base = target
  local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'hu')
  offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), h[5], 0)
  count_waiting(fresh)
  wake()
  base = source
end

local held = call('ZCARD', leases)
local lost = call('ZCOUNT', leases, '-inf', now)
local left = call('ZCARD', base .. 'lane:' .. lane) + call('ZCARD', base .. 'dead:' .. lane) + lost
if left + held == 0 then
  -- The queue is empty: whoever queues something in it makes its lane anew.
  call('SREM', root .. 'delivers', source)
  call('DEL', base .. 'conf:' .. lane, base .. 'late:' .. lane, base .. 'stats')
  call('ZREM', base .. 'ready', lane)
  call('ZREM', base .. 'ages', lane)
end
return { taken, left, held - lost, full }

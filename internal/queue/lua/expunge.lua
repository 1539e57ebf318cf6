-- expunge: removes the content of an event, and all that is kept of the answers to it, some lanes at a time. Deliveries that wait are cancelled.
-- What is left is that its ID was used, so that nobody publishes with it for as long as IDs are known.
--
-- KEYS[1] the shard's tag
-- ARGV[10] account, ARGV[11] ID, ARGV[12] the job that the ID stands for where it has the form of our own ("" otherwise), ARGV[13] the job of an event
--   whose removal was begun, to go on with it ("" to begin), ARGV[14] how many lanes at most, ARGV[15] after how many entries of logs to stop
-- Returns the job, how many lanes are left, and the lanes in which it cancelled a waiting delivery. False where the account has no such event.
--
-- Safe to repeat: z in the event's record says how many lanes are done, and the task stays until all are. An attempt that is under way finds z when
-- it is settled, and then nothing is kept of it: see write_state.

local account, id, own_job, begun, most_lanes, most_entries = unpack(ARGV, 10, 15)
most_lanes, most_entries = tonumber(most_lanes), tonumber(most_entries)
local job = begun
if job == '' then
  job = call('GET', base .. 'id:' .. account .. ':' .. id) or own_job
  if job == '' then return false end
end
local event = base .. 'event:' .. job
local e = call('HMGET', event, 'a', 'i', 'y', 'l', 'z')
if begun ~= '' and not e[5] then -- the event's record has expired, and so has its ID
  call('SREM', base .. 'chores', 'expunge:' .. job)
  return { job, 0, {} }
end
write_when_full() -- it frees memory, so it runs even where Redis is full
if begun == '' then
  if e[1] ~= account or (e[2] or id) ~= id or not e[2] and job ~= own_job or not e[3] then return false end
  call('SADD', base .. 'chores', 'expunge:' .. job)
  call('HSET', event, 'z', '0')
  e[5] = '0'
  local kept, fields = { a = true, i = true, l = true, c = true, z = true }, {}
  for _, field in ipairs(call('HKEYS', event)) do
    if not kept[field] then fields[#fields + 1] = field end
  end
  in_parts('HDEL', event, fields)
  call('UNLINK', base .. 'body:' .. job)
  call('SREM', base .. 'chores', 'fanout:' .. job)
  call('ZREM', base .. 'resent', job)
  call('PEXPIRE', event, C.id_ttl)
  if e[2] then call('PEXPIRE', base .. 'id:' .. account .. ':' .. id, C.id_ttl) end
end

-- clear_log removes the job's entries from a lane's log. It returns how many entries it read.
local function clear_log(lane)
  local log = base .. 'log:' .. lane
  local entries = call('LRANGE', log, 0, -1)
  for _, entry in ipairs(entries) do
    if string.sub(entry, 1, JOB) == job then call('LREM', log, 1, entry) end
  end
  return #entries
end

local lanes_done, place, entries_read, cancelled, lanes_left = tonumber(e[5]), 0, 0, {}, 0
for lane in string.gmatch(e[4] or '', '%S+') do
  place = place + 1
  if place > lanes_done then
    if place - lanes_done > most_lanes or entries_read >= most_entries then
      lanes_left = lanes_left + 1
    else
      if call('ZREM', base .. 'lane:' .. lane, job) == 1 then
        cancelled[#cancelled + 1] = lane
        if order_of(lane) then -- the others may have waited for this job
          local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'hu')
          offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), h[5], now)
        end
      end
      for _, kind in ipairs({ 'dead:', 'failed:', 'late:', 'gone:' }) do call('ZREM', base .. kind .. lane, job) end
      call('DEL', base .. 'job:' .. lane .. job)
      entries_read = entries_read + 1 + clear_log(lane)
    end
  end
end
count_waiting(-#cancelled)
count_waiting_of({ [account] = -#cancelled })
if lanes_left > 0 then
  call('HSET', event, 'z', int(place - lanes_left))
else
  call('HDEL', event, 'l')
  call('SREM', base .. 'chores', 'expunge:' .. job)
end
return { job, lanes_left, cancelled }

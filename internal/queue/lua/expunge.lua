-- expunge: takes all that is kept of an event's content, and of the answers to it, out of the store, some lanes at a time.
-- Deliveries that wait are cancelled. What is left is that its ID was used: nobody publishes under it for as long as an ID is known.
--
-- KEYS[1] the shard
-- ARGV[10] account, ARGV[11] ID, ARGV[12] the job that an ID of our own form stands for (or ""), ARGV[13] the job, to go on with one that was
--   begun (or ""), ARGV[14] most lanes at once, ARGV[15] entries of logs to look through before it stops
-- Returns the job, how many lanes are left, and the lanes in which a waiting delivery was cancelled. False where the account has no
--   such event.
--
-- Safe to repeat: z in the event's record says how many lanes are done, and the chore stays until all are. An attempt under way finds
-- z as it is settled, and leaves nothing behind: see write_state.

local account, id, own_job, begun, most_lanes, most_entries = unpack(ARGV, 10, 15)
most_lanes, most_entries = tonumber(most_lanes), tonumber(most_entries)
local job = begun
if job == '' then
  job = call('GET', base .. 'id:' .. account .. ':' .. id) or own_job
  if job == '' then return false end
end
local event = base .. 'event:' .. job
local e = call('HMGET', event, 'a', 'i', 'y', 'l', 'z')
if begun ~= '' and not e[5] then -- its ID is not known any more either
  call('SREM', base .. 'chores', 'expunge:' .. job)
  return { job, 0, {} }
end
drain() -- it makes room, also where there is none
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

-- take_from_log takes what was logged of the job out of a lane's log. It returns how many entries there were.
local function take_from_log(lane)
  local log = base .. 'log:' .. lane
  local entries = call('LRANGE', log, 0, -1)
  for _, entry in ipairs(entries) do
    if string.sub(entry, 1, JOB) == job then call('LREM', log, 1, entry) end
  end
  return #entries
end

local done, passed, looked, cancelled, left = tonumber(e[5]), 0, 0, {}, 0
for lane in string.gmatch(e[4] or '', '%S+') do
  passed = passed + 1
  if passed > done then
    if passed - done > most_lanes or looked >= most_entries then
      left = left + 1
    else
      if call('ZREM', base .. 'lane:' .. lane, job) == 1 then
        cancelled[#cancelled + 1] = lane
        if order_of(lane) then -- it may have been what the others waited for
          local h = call('HMGET', base .. 'conf:' .. lane, 'st', 'fl', 'w', 'cap', 'hu')
          offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), h[5], now)
        end
      end
      for _, kind in ipairs({ 'dead:', 'failed:', 'late:', 'gone:' }) do call('ZREM', base .. kind .. lane, job) end
      call('DEL', base .. 'job:' .. lane .. job)
      looked = looked + 1 + take_from_log(lane)
    end
  end
end
waiting(-#cancelled)
waiting_of({ [account] = -#cancelled })
if left > 0 then
  call('HSET', event, 'z', int(passed - left))
else
  call('HDEL', event, 'l')
  call('SREM', base .. 'chores', 'expunge:' .. job)
end
return { job, left, cancelled }

-- contents: lists the events in a queue, some at a time in the order of their times, or those that the caller names. Changes nothing.
--
-- KEYS[1] the tag of the queue, see lib.lua of internal/queue
-- ARGV[10] lane, ARGV[11] how many bytes of each payload to return, ARGV[12] a text that these must contain ("" for any), ARGV[13] which events:
--   "waiting", "dead", "in_flight" or "jobs"; ARGV[14…] with "waiting" and "dead" the score and the job behind which to go on ("" and "" from the
--   start) and how many to look at, with "jobs" these
-- Returns the score and the job behind which the next call goes on ("" and "" where nothing is left); then for each event: job, where it is
--   ("waiting", "dead" or "in_flight"), when it is due, failed, or its lease ends (ms), attempts made, reason, length of the stored payload, and the bytes.
--
-- An event of whose payload only a part was read is returned even where the text is not in that part: the caller reads on.

local lane, byte_count, text, which = ARGV[10], tonumber(ARGV[11]), ARGV[12], ARGV[13]
-- Where the lane is held, nothing in it is due before the hold ends.
local of_lane = call('HMGET', base .. 'conf:' .. lane, 'hu', 'ord')
local held = held_until(lane, of_lane[1], of_lane[2])
local waiting_in, dead_in = base .. 'lane:' .. lane, base .. 'dead:' .. lane
local reply = { '', '' }

local function add(job, place, at)
  local body, bytes = base .. 'body:' .. job, ''
  if byte_count > 0 then bytes = call('GETRANGE', body, 0, int(byte_count - 1)) end
  if text ~= '' and #bytes < byte_count and not string.find(bytes, text, 1, true) then return end
  if place == 'waiting' then at = math.max(tonumber(at), held) end
  local record = call('HMGET', base .. 'job:' .. lane .. job, 'n', 'r')
  for _, v in ipairs({ job, place, int(math.floor(tonumber(at))), record[1] or '0', record[2] or '', int(call('STRLEN', body)), bytes }) do
    reply[#reply + 1] = v
  end
end

-- leases returns the deadline of each job that is being delivered, and the jobs in the order of these.
local function leases()
  local found, order, all = {}, {}, call('ZRANGE', base .. 'leases', 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    local member_lane, job = string.match(all[i], '^(.-):([^:]+):[^:]+$')
    if member_lane == lane then
      found[job] = all[i + 1]
      order[#order + 1] = job
    end
  end
  return found, order
end

if which == 'jobs' then
  local leased = leases()
  for i = 14, #ARGV do
    local job = ARGV[i]
    local due, died = call('ZSCORE', waiting_in, job), call('ZSCORE', dead_in, job)
    if due then
      add(job, 'waiting', due)
    elseif leased[job] then
      add(job, 'in_flight', leased[job])
    elseif died then
      add(job, 'dead', died)
    end
  end
elseif which == 'in_flight' then
  local leased, order = leases()
  for _, job in ipairs(order) do add(job, which, leased[job]) end
else
  -- The place is found by score and job, not by a count, as jobs in front of it come and go between two calls.
  local key = which == 'dead' and dead_in or waiting_in
  local score, after, most = unpack(ARGV, 14)
  most = tonumber(most)
  local from = 0
  if after ~= '' then
    from = call('ZCOUNT', key, '-inf', '(' .. score)
    for _, job in ipairs(call('ZRANGEBYSCORE', key, score, score)) do
      if job > after then break end
      from = from + 1
    end
  end
  local found = call('ZRANGE', key, int(from), int(from + most - 1), 'WITHSCORES')
  for i = 1, #found, 2 do add(found[i], which, found[i + 1]) end
  if #found == 2 * most then reply[1], reply[2] = found[#found], found[#found - 1] end
end
return reply

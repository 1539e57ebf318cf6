-- contents: what is in a queue: some of its events in the order of their times, or those that are named. It changes nothing.
--
-- KEYS[1] the receiver's tag, see lib.lua of internal/queue
-- ARGV[10] lane, ARGV[11] how many bytes of each payload are wanted, ARGV[12] a text that has to be in them, "" for any,
--   ARGV[13] where to look: "waiting", "dead" or "in_flight", ARGV[14…] the score and the job behind which to go on ("" from the start) and how
--   many to look at; or "jobs", then the jobs
-- Returns the score and the job behind which the next call goes on, "" where nothing is left; then for each event: job, place, when it
--   is due, was given up, or its lease ends (ms), attempts, reason, size of what is stored, and the bytes.
--
-- An event whose bytes were cut off is returned whether the text is in them or not: the caller reads on.

local lane, head, text, what = ARGV[10], tonumber(ARGV[11]), ARGV[12], ARGV[13]
-- Where a lane is held nothing of it is due before its end.
local of_lane = call('HMGET', base .. 'conf:' .. lane, 'hu', 'ord')
local held = held_until(lane, of_lane[1], of_lane[2])
local waiting_in, dead_in = base .. 'lane:' .. lane, base .. 'dead:' .. lane
local reply = { '', '' }

local function add(job, place, at)
  local body, bytes = base .. 'body:' .. job, ''
  if head > 0 then bytes = call('GETRANGE', body, 0, int(head - 1)) end
  if text ~= '' and #bytes < head and not string.find(bytes, text, 1, true) then return end
  if place == 'waiting' then at = math.max(tonumber(at), held) end
  local record = call('HMGET', base .. 'job:' .. lane .. job, 'n', 'r')
  for _, v in ipairs({ job, place, int(math.floor(tonumber(at))), record[1] or '0', record[2] or '', int(call('STRLEN', body)), bytes }) do
    reply[#reply + 1] = v
  end
end

-- leases is the deadline of each job that is being delivered.
local function leases()
  local found, order, all = {}, {}, call('ZRANGE', base .. 'leases', 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    local of, job = string.match(all[i], '^(.-):([^:]+):[^:]+$')
    if of == lane then
      found[job] = all[i + 1]
      order[#order + 1] = job
    end
  end
  return found, order
end

if what == 'jobs' then
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
elseif what == 'in_flight' then
  local leased, order = leases()
  for _, job in ipairs(order) do add(job, what, leased[job]) end
else
  -- By score and job, not by a count: meanwhile others come and go in front.
  local key = what == 'dead' and dead_in or waiting_in
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
  for i = 1, #found, 2 do add(found[i], what, found[i + 1]) end
  if #found == 2 * most then reply[1], reply[2] = found[#found], found[#found - 1] end
end
return reply

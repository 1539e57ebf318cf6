-- event: returns an event with the state of its delivery in each lane and the attempts made, all at one moment. Changes nothing.
--
-- KEYS[1] the shard's tag
-- ARGV[10] account, ARGV[11] ID, ARGV[12] the job that the ID stands for where it has the form of our own ("" otherwise), ARGV[13] how many entries of
--   one log to read at most, ARGV[14] how many of all logs together
-- Returns job, type, timestamp, creation (ms), the payload as it is stored or "", number of lanes, and for each: lane, "1" where its attempts were left
--   out because there was too much to read, the state of the job as inspect.lua returns it, and a list of its log entries as there.
--   False where the account has no such event.

local account, id, own_job, each_log, all_logs = unpack(ARGV, 10, 14)
each_log, all_logs = tonumber(each_log), tonumber(all_logs)
local job = call('GET', base .. 'id:' .. account .. ':' .. id) or own_job
if job == '' then return false end
local e = call('HMGET', base .. 'event:' .. job, 'a', 'i', 'y', 't', 'c', 'l')
if e[1] ~= account or (e[2] or id) ~= id or not e[2] and job ~= own_job or not e[3] then return false end
local created = tonumber(e[5])

-- attempts reads a lane's log from its end back to when the event came, as no older entry is of this event. It returns the entries of the job, and
-- "1" where it has left them out.
local PART = 50
local function attempts(lane)
  local key, found, place = base .. 'log:' .. lane, {}, -1
  while place >= -each_log do
    if all_logs <= 0 then return {}, '1' end
    local entries = call('LRANGE', key, math.max(place - PART + 1, -each_log), place)
    all_logs = all_logs - #entries
    for i = #entries, 1, -1 do
      if tonumber(string.sub(entries[i], JOB + 1, JOB + 13)) < created then return found, '' end
      if string.sub(entries[i], 1, JOB) == job then table.insert(found, 1, string.sub(entries[i], JOB + 1)) end
    end
    if #entries < PART then break end
    place = place - PART
  end
  return found, ''
end

local lanes = {}
for lane in string.gmatch(e[6] or '', '%S+') do lanes[#lanes + 1] = lane end
local reply = { job, e[3], e[4], e[5], call('GET', base .. 'body:' .. job) or '', #lanes }
for _, lane in ipairs(lanes) do
  local conf = call('HMGET', base .. 'conf:' .. lane, 'st', 'hu', 'ord')
  local found, left_out = attempts(lane)
  reply[#reply + 1] = lane
  reply[#reply + 1] = left_out
  for _, v in ipairs(standing(lane, job, conf[1], held_until(lane, conf[2], conf[3]))) do reply[#reply + 1] = v end
  reply[#reply + 1] = found
end
return reply

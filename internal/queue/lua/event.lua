-- event: an event with how it stands in each of its lanes and the attempts made, all at one moment. Changes nothing.
--
-- KEYS[1] the shard
-- ARGV[10] account, ARGV[11] ID, ARGV[12] the job that an ID of our own form stands for (or ""), ARGV[13] entries of a log to look through at most,
--   ARGV[14] of all logs together
-- Returns job, type, timestamp, created, the payload as stored or "", number of lanes, and for each: lane, "1" where its attempts were left out
--   as there was too much to look through, what standing returns, and a list of its log entries as in inspect.lua.
--   False where the account has no such event.

local account, id, own_job, each, left = unpack(ARGV, 10, 14)
each, left = tonumber(each), tonumber(left)
local job = call('GET', base .. 'id:' .. account .. ':' .. id) or own_job
if job == '' then return false end
local e = call('HMGET', base .. 'event:' .. job, 'a', 'i', 'y', 't', 'c', 'l')
if e[1] ~= account or (e[2] or id) ~= id or not e[2] and job ~= own_job or not e[3] then return false end
local created = tonumber(e[5])

-- attempts looks through a lane's log from its end back to when the event came: what is older is not of this event.
local PART = 50
local function attempts(lane)
  local key, found, place = base .. 'log:' .. lane, {}, -1
  while place >= -each do
    if left <= 0 then return {}, '1' end
    local entries = call('LRANGE', key, math.max(place - PART + 1, -each), place)
    left = left - #entries
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

-- inspect: returns the state of jobs of one lane, with their attempts, all at one moment. Changes nothing.
--
-- KEYS[1] the shard's tag
-- ARGV[10] lane, ARGV[11] how many of the latest entries of the lane's log to read (0: none), ARGV[12…] jobs
-- Returns for each job: the state of the delivery (a letter of STATE; "" where its event is not known any more), where the job is ("waiting",
--   "leased", "dead"; "" where it has ended otherwise), when it is or was due (ms; "" where it does not wait), when it is attempted next (ms; never
--   before now, as what is due can be attempted now; "" where the job does not wait or the lane is not served), attempts made, reason of the
--   failure or "", then of its event: account, ID or "", type, timestamp, creation (ms), "1" or "0" for whether its payload is there; and a list of
--   the job's log entries (13 digits for when the attempt was settled, in ms, and what was logged of it).

local lane, look_through = unpack(ARGV, 10, 11)
look_through = tonumber(look_through)
local conf = call('HMGET', base .. 'conf:' .. lane, 'st', 'hu', 'ord')
local held = held_until(lane, conf[2], conf[3])
local reply, logged = {}, {}

if look_through > 0 then
  for i = 12, #ARGV do logged[ARGV[i]] = {} end
  for _, entry in ipairs(call('LRANGE', base .. 'log:' .. lane, -look_through, -1)) do
    local entries_of_job = logged[string.sub(entry, 1, JOB)]
    if entries_of_job then entries_of_job[#entries_of_job + 1] = string.sub(entry, JOB + 1) end
  end
end

for i = 12, #ARGV do
  for _, v in ipairs(standing(lane, ARGV[i], conf[1], held)) do reply[#reply + 1] = v end
  reply[#reply + 1] = logged[ARGV[i]] or {}
end
return reply

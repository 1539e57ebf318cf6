-- inspect: says how jobs of one lane stand, with their attempts, all at one moment. Changes nothing.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] entries of the lane's log to look through (0: none), ARGV[12…] jobs
-- Returns for each: state (a letter of STATE, "" where its event is not known any more), where it is ("waiting", "leased", "dead", or "" where
--   it has ended otherwise), since or from when it is due or "", when it is attempted next or "", attempts made, reason or "", then of its event: account, ID or "", type, timestamp, created,
--   whether the payload is still there ("1"/"0"), and a list of its log entries (ms of the settling, 13 digits, and what was logged).
--   The next attempt is never before now: what is due already can be attempted now. It is "" where the lane is not served.

local lane, look_through = unpack(ARGV, 10, 11)
look_through = tonumber(look_through)
local conf = call('HMGET', base .. 'conf:' .. lane, 'st', 'hu', 'ord')
local held = held_until(lane, conf[2], conf[3])
local reply, logged = {}, {}

if look_through > 0 then
  for i = 12, #ARGV do logged[ARGV[i]] = {} end
  for _, entry in ipairs(call('LRANGE', base .. 'log:' .. lane, -look_through, -1)) do
    local of = logged[string.sub(entry, 1, JOB)]
    if of then of[#of + 1] = string.sub(entry, JOB + 1) end
  end
end

for i = 12, #ARGV do
  for _, v in ipairs(standing(lane, ARGV[i], conf[1], held)) do reply[#reply + 1] = v end
  reply[#reply + 1] = logged[ARGV[i]] or {}
end
return reply

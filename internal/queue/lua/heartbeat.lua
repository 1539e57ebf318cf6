-- heartbeat: notes that a process delivers, and counts those that do.
--
-- KEYS[1] the tag of the store's own keys
-- ARGV[1] the process ("" only counts), ARGV[2] ms for which its note counts (0 takes it away)
-- Returns how many processes have a note that counts.
--
-- Keys: senders, zset: process -> until when its note counts.
-- Safe to repeat.

local key = KEYS[1] .. 'senders'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local process, ttl = ARGV[1], tonumber(ARGV[2])
if process ~= '' then
  if ttl > 0 then
    redis.call('ZADD', key, string.format('%.0f', now + ttl), process)
    redis.call('PEXPIRE', key, ttl)
  else
    redis.call('ZREM', key, process)
  end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('(%.0f', now))
end
return redis.call('ZCOUNT', key, string.format('%.0f', now), '+inf')

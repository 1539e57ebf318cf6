-- heartbeat: notes that a process delivers, and counts the processes that do.
--
-- KEYS[1] the tag of the store's own keys
-- ARGV[1] the process ("" only counts), ARGV[2] ms for which its note counts (0 removes the note)
-- Returns how many processes have a note that counts.
--
-- Keys: senders is a sorted set of processes by the time until which their notes count (ms).
-- Safe to repeat: it writes the same note again, with a time that begins anew.

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

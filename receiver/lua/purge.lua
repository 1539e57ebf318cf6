-- purge: drops dead events for good.
--
-- KEYS[1] the receiver's tag, see lib.lua of internal/queue
-- ARGV[10] lane, ARGV[11…] jobs
-- Returns how many were dropped.
--
-- Safe to repeat: what is gone is not counted.

local lane, n = ARGV[10], 0
for i = 11, #ARGV do
  if call('ZREM', base .. 'dead:' .. lane, ARGV[i]) == 1 then
    call('DEL', base .. 'job:' .. lane .. ARGV[i], base .. 'body:' .. ARGV[i])
    n = n + 1
  end
end
return n

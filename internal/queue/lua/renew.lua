-- renew: moves the deadlines of leases whose attempts take long.
--
-- KEYS[1] the shard's tag
-- ARGV[10] ms from now to the new deadline, ARGV[11…] members of leases: <lane>:<job>:<token>
-- Returns for each member 1, or 0 where that lease has ended.
--
-- Safe to repeat: it moves only deadlines of leases that exist.

local lease = tonumber(ARGV[10])
write_when_full()
local leases, reply = base .. 'leases', {}
for i = 11, #ARGV do
  if call('ZSCORE', leases, ARGV[i]) then
    call('ZADD', leases, 'XX', now + lease, ARGV[i])
    reply[#reply + 1] = 1
  else
    reply[#reply + 1] = 0
  end
end
return reply

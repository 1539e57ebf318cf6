-- renew: extends leases of attempts that take long.
--
-- KEYS[1] the shard
-- ARGV[10] lease in ms, ARGV[11…] members of leases: <lane>:<job>:<token>
-- Returns for each 1, or 0 where the lease was not ours any more.
--
-- Safe to repeat: it only moves the deadline of leases that exist.

local lease = tonumber(ARGV[10])
drain()
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

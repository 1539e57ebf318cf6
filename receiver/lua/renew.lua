-- renew.lua: starts leases anew, of events whose app is still working.
--
-- KEYS: two for each event, as in claim.lua.
-- ARGV: two for each event: the claim's value and the lease in milliseconds.
-- Returns the number of events.
--
-- A key that expired meanwhile, or was claimed in a gateway's memory while Redis was down, is taken again; one that
-- somebody else holds is left alone. Repeating it only sets the expiry again.

local function renew(key, v, px)
  if redis.call('SET', key, 'w' .. v, 'NX', 'PX', px) then
    return
  end
  if redis.call('GET', key) == 'w' .. v then
    redis.call('PEXPIRE', key, px)
  end
end

for i = 1, #ARGV, 2 do
  local v, px = ARGV[i], ARGV[i + 1]
  local mode = string.sub(v, 1, 1)
  if mode ~= 'd' then
    renew(KEYS[i], v, px)
  end
  if mode == 's' or mode == 'u' or mode == 'd' then
    renew(KEYS[i + 1], v, px)
  end
end
return #ARGV / 2

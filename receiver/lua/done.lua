-- done.lua: remembers finished events.
--
-- KEYS: two for each event, as in claim.lua.
-- ARGV: three for each event: the claim's value, how long to remember the event, and the lease, in milliseconds.
-- Returns the number of events.
--
-- Only keys that are the claim's own, or free, are written: who overran its lease can't settle somebody else's
-- claim. A free key is written too, for the app did finish the event. Repeating it changes nothing but the expiry.

local call = redis.call

local function finish(key, v, px, lease)
  -- One command where nothing came between, which is nearly always.
  local done = 'd' .. v
  local found = call('SET', key, done, 'XX', 'GET', 'PX', px)
  if not found then
    call('SET', key, done, 'PX', px)
  elseif found ~= 'w' .. v and found ~= done then
    -- Somebody else's: put it back as it was, with a whole lease or time to be remembered.
    call('SET', key, found, 'PX', string.byte(found) == 100 and px or lease)
  end
end

for i = 1, #ARGV, 3 do
  local k, v, px, lease = (i - 1) / 3 * 2, ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local mode = string.sub(v, 1, 1)
  if mode ~= 'd' then
    finish(KEYS[k + 1], v, px, lease)
  end
  if mode == 's' or mode == 'u' or mode == 'd' then
    finish(KEYS[k + 2], v, px, lease)
  end
end
return #ARGV / 3

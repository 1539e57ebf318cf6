-- done.lua: remembers finished events.
--
-- KEYS: two for each event, as in claim.lua.
-- ARGV: two for each event: the claim's value and how long to remember the event, in milliseconds.
-- Returns the number of events.
--
-- Only keys that are the claim's own, or free, are written: who overran its lease can't settle somebody else's
-- claim. A free key is written too, for the app did finish the event. Repeating it changes nothing: a key that is
-- done already is not the claim's own.

local function finish(key, v, px)
  local found = redis.call('GET', key)
  if not found or found == 'w' .. v then
    redis.call('SET', key, 'd' .. v, 'PX', px)
  end
end

for i = 1, #ARGV, 2 do
  local v, px = ARGV[i], ARGV[i + 1]
  local mode = string.sub(v, 1, 1)
  if mode ~= 'd' then
    finish(KEYS[i], v, px)
  end
  if mode == 's' or mode == 'u' or mode == 'd' then
    finish(KEYS[i + 1], v, px)
  end
end
return #ARGV / 2

-- release.lua: gives events back, so that the sender's next try reaches the app.
--
-- KEYS: two for each event, as in claim.lua.
-- ARGV: one for each event: the claim's value.
-- Returns the number of events.
--
-- Only keys that are the claim's own and in work go, so that repeating it, or doing it late, takes nothing from
-- anybody else.

for i = 1, #ARGV do
  local held = 'w' .. ARGV[i]
  for k = 2 * i - 1, 2 * i do
    if redis.call('GET', KEYS[k]) == held then
      redis.call('DEL', KEYS[k])
    end
  end
end
return #ARGV

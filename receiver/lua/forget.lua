-- forget.lua: forgets done events, each with its other key.
--
-- KEYS: those of the events: of their IDs, or of the digests of events without one.
-- ARGV: the prefix of a digest's key, and the earliest time of the claim as unix seconds in 8 hex digits.
-- Returns how many events were forgotten.
--
-- Events in work stay, and so do those claimed before the time. An event's digest goes if it was noted by the same
-- claim; one that is named itself goes without counting. Repeating it finds nothing.

local n = 0
for _, key in ipairs(KEYS) do
  local found = redis.call('GET', key)
  if found and string.byte(found) == 100 and string.sub(found, 14, 21) >= ARGV[2] then
    local digest = ARGV[1] .. string.sub(found, 22)
    redis.call('DEL', key)
    if key ~= digest or string.sub(found, 2, 2) == 'd' then
      n = n + 1
    end
    if key ~= digest and digest ~= ARGV[1] and redis.call('GET', digest) == found then
      redis.call('DEL', digest)
    end
  end
end
return n

-- forget.lua: forgets done events, each with its other key.
--
-- KEYS: those of the events: of their IDs, or of the digests of events without one.
-- ARGV[1] the prefix of a digest's key, ARGV[2] the earliest time of the claim as unix seconds in 8 hex digits.
-- Returns how many events were forgotten.
--
-- Events in work stay, and so do those claimed before the time. An event's digest goes if it was noted by the same
-- claim; one that is named itself goes without counting. Repeating it finds nothing.

local prefix, since, n = ARGV[1], ARGV[2], 0
for _, key in ipairs(KEYS) do
  local found = redis.call('GET', key)
  if found and string.byte(found) == 100 and string.sub(found, 14, 21) >= since then
    local digest = prefix .. string.sub(found, 22)
    redis.call('DEL', key)
    if key ~= digest or string.sub(found, 2, 2) == 'd' then
      n = n + 1
    end
    if key ~= digest and digest ~= prefix and redis.call('GET', digest) == found then
      redis.call('DEL', digest)
    end
  end
end
return n

-- forget: forgets events that were done, so that the receiver takes them again.
--
-- KEYS: for each event the key of its ID, or for one without an ID that of its digest, see keys.lua.
-- ARGV[1] what the key of a digest begins with, ARGV[2] the earliest time of claims to forget, in unix seconds as 8 hex digits.
-- Returns how many events it forgot.
--
-- Events in work stay, and so do those that were claimed before that time. With an ID goes the digest that the same claim noted. A digest that is
-- itself among KEYS goes too, but is not counted where its event has an ID, as that counts.
-- Safe to repeat: a second call finds no keys.

local prefix, since, forgotten = ARGV[1], ARGV[2], 0
for _, key in ipairs(KEYS) do
  local found = redis.call('GET', key)
  if found and string.byte(found) == 100 and string.sub(found, 14, 21) >= since then
    local digest = prefix .. string.sub(found, 22)
    redis.call('DEL', key)
    if key ~= digest or string.sub(found, 2, 2) == 'd' then
      forgotten = forgotten + 1
    end
    if key ~= digest and digest ~= prefix and redis.call('GET', digest) == found then
      redis.call('DEL', digest)
    end
  end
end
return forgotten

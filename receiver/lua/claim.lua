-- claim.lua: takes the keys of events for a lease.
--
-- KEYS: two for each event: that of its ID and that of its digest. Where it has only one, the other is never
--       touched.
-- ARGV: two for each event: the claim's value v and the lease in milliseconds. v starts with the mode:
--       "s" signed ID, digest noted where it is free; "S" signed ID only; "u" ID and digest, both or neither;
--       "i" ID only; "d" digest only. Then come 11 characters of token, 8 of time, and the digest or nothing.
-- Returns one character for each event: "0" claimed, "1" in work elsewhere, "2" done before.
--
-- A key holds "w" .. v while the event is in work, with the lease as its expiry, and "d" .. v once it is done.
-- Repeating a claim finds its own value and answers "0" again.

local answers = {}
for i = 1, #ARGV, 2 do
  answers[#answers + 1] = take_keys(KEYS[i], KEYS[i + 1], ARGV[i], 'w', ARGV[i + 1])
end
return table.concat(answers)

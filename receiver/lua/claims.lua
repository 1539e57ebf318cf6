-- claims.lua: makes the calls of one round trip: gives events back, so that the sender's next try reaches the app;
-- remembers finished ones; starts the leases of those anew whose app is still working; takes the keys of new ones.
--
-- KEYS: two for each call, in its order: that of the event's ID and that of its digest, see keys.lua.
-- ARGV[1…4] how many calls release, finish, renew and claim; ARGV[5…], in this order, what the keys hold while the event is
--   in work (its state "w" and the claim's value) of each call, after it for each to finish the ms to remember it, for each to
--   renew or to claim its lease in ms.
-- Returns one character for each claim: "0" claimed, "1" in work elsewhere, "2" done before.
--
-- What was settled is free, or known, for the claims behind it. Events are given back first: that succeeds even where Redis
-- has no memory left.
-- Safe to repeat, and to do late: only keys that are the claim's own are given back, and only those or free ones are
-- written, so who overran its lease can't settle somebody else's claim; a claim finds its own value and answers "0" again.

local call = redis.call
local releases, finishes, renewals, claims = unpack(ARGV, 1, 4)
local key = 1
local at = 5

-- A free key is written too, for the app did finish the event. Somebody else's keeps what it holds and its time.
local function finish(key, held, done, px)
  local found = call('GET', key)
  if not found or found == held then
    call('SET', key, done, 'PX', px)
  end
end

-- A key that expired meanwhile, or was claimed in a gateway's memory while Redis was down, is taken again; one that
-- somebody else holds is left alone.
local function renew(key, held, px)
  if call('SET', key, held, 'NX', 'PX', px) then
    return
  end
  if call('GET', key) == held then
    call('PEXPIRE', key, px)
  end
end

-- own calls f for the keys that the event has.
local function own(f, held, ...)
  local mode = string.byte(held, 2)
  if mode ~= DIGEST then
    f(KEYS[key], held, ...)
  end
  if mode == SIGNED or mode == UNSIGNED or mode == DIGEST then
    f(KEYS[key + 1], held, ...)
  end
end

for _ = 1, tonumber(releases) do
  for k = key, key + 1 do
    if call('GET', KEYS[k]) == ARGV[at] then
      call('DEL', KEYS[k])
    end
  end
  key, at = key + 2, at + 1
end
for _ = 1, tonumber(finishes) do
  own(finish, ARGV[at], 'd' .. string.sub(ARGV[at], 2), ARGV[at + 1])
  key, at = key + 2, at + 2
end
for _ = 1, tonumber(renewals) do
  own(renew, ARGV[at], ARGV[at + 1])
  key, at = key + 2, at + 2
end
local answers = {}
for i = 1, tonumber(claims) do
  answers[i] = take_keys(KEYS[key], KEYS[key + 1], ARGV[at], ARGV[at + 1])
  key, at = key + 2, at + 2
end
return table.concat(answers)

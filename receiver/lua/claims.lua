-- claims: makes the calls of one round trip, in this order: it releases events, so that the sender's next try reaches the app; remembers finished
-- ones; renews the leases of those on which the app is still working; and claims new ones.
--
-- KEYS: two for each call, in its order: the key of the event's ID and that of its digest, see keys.lua.
-- ARGV[1…4] how many calls release, finish, renew and claim; ARGV[5…] for each call, in this order, what its keys hold while the event is in work ("w" and
--   the claim's value), then for each call to finish the ms for which the event is remembered, for each call to renew or to claim its lease in ms.
-- Returns one character for each claim: "0" claimed, "1" in work elsewhere, "2" done before.
--
-- A claim behind a call for the same event finds what that made of it. Releases come first, as they succeed even where Redis is out of memory.
-- Safe to repeat, and to make late: a release removes only keys that hold the claim's own value, and the other calls write only those and free
-- ones, so nobody whose lease has run out can settle the claim of another. A claim finds its own value and answers "0" again.

local call = redis.call
local releases, finishes, renewals, claims = unpack(ARGV, 1, 4)
local key = 1
local at = 5

-- finish marks an event as done. It writes a free key too, for the app did finish the event; one that another claim holds stays as it is.
local function finish(key, held, done, px)
  local found = call('GET', key)
  if not found or found == held then
    call('SET', key, done, 'PX', px)
  end
end

-- renew begins the lease of a claim anew. It takes a key that expired meanwhile, or that was claimed in a gateway's memory while Redis was
-- down; one that another claim holds stays as it is.
local function renew(key, held, px)
  if call('SET', key, held, 'NX', 'PX', px) then
    return
  end
  if call('GET', key) == held then
    call('PEXPIRE', key, px)
  end
end

-- each_key calls f for the keys that the event has, with what they hold while it is in work.
local function each_key(f, held, ...)
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
  each_key(finish, ARGV[at], 'd' .. string.sub(ARGV[at], 2), ARGV[at + 1])
  key, at = key + 2, at + 2
end
for _ = 1, tonumber(renewals) do
  each_key(renew, ARGV[at], ARGV[at + 1])
  key, at = key + 2, at + 2
end
local answers = {}
for i = 1, tonumber(claims) do
  answers[i] = take_keys(KEYS[key], KEYS[key + 1], ARGV[at], ARGV[at + 1])
  key, at = key + 2, at + 2
end
return table.concat(answers)

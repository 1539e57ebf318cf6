-- received: adds what the receivers of one process counted to what all of them did.
--
-- KEYS[1] the tag of what belongs to the whole store
-- ARGV[1] the process, ARGV[2] the number of this batch, ARGV[3…] for each count: receiver, outcome, minute since 1970, how many
-- Returns 1, or 0 for a batch that was added before.
--
-- Under received: stand, for each receiver, 0:<receiver> with all since its first request, and <seconds>:<receiver> with the parts of an hour, a day and a
-- week, one field for each outcome that occurred in a part. Parts that are over are removed when a new one begins. received:names has when each receiver
-- counted last, and received:by:<process> the number of that process's last batch.
-- Safe to repeat within a day: a process sends one batch at a time, under the same number until it heard that it arrived.

local call, tag = redis.call, KEYS[1]
local WINDOWS = {{60, 60}, {1800, 48}, {10800, 56}} -- seconds of a part, how many
local KEPT = 30 * 86400 -- a receiver without requests for so long is forgotten
local MOST = 200 -- receivers
local DAY = 86400

local process, batch = ARGV[1], ARGV[2]
local once = tag .. 'received:by:' .. process
if call('GET', once) == batch then return 0 end
call('SET', once, batch, 'EX', DAY)
local now = tonumber(call('TIME')[1])
local names = tag .. 'received:names'

-- counts_of is the hash of a receiver's counts: those in parts of so many seconds, or with 0 all.
local function counts_of(name, seconds) return tag .. 'received:' .. seconds .. ':' .. name end

local function known(name)
  if call('HEXISTS', names, name) == 1 then return true end
  if call('HLEN', names) < MOST then return true end
  local all = call('HGETALL', names)
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]) < now - KEPT then call('HDEL', names, all[i]) end
  end
  return call('HLEN', names) < MOST
end

local function trim(key, oldest)
  for _, field in ipairs(call('HKEYS', key)) do
    if tonumber(string.match(field, '^%d+')) < oldest then call('HDEL', key, field) end
  end
end

for i = 3, #ARGV, 4 do
  local name, outcome, at, n = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]) * 60, tonumber(ARGV[i + 3])
  if known(name) then
    call('HSET', names, name, now)
    local total = counts_of(name, 0)
    call('HINCRBY', total, outcome, n)
    call('EXPIRE', total, KEPT)
    for _, window in ipairs(WINDOWS) do
      local seconds, parts = window[1], window[2]
      local start, oldest = at - at % seconds, now - now % seconds - (parts - 1) * seconds
      if start >= oldest then
        local counts, part = counts_of(name, seconds), string.format('%.0f', start) .. ':' .. outcome
        if call('HINCRBY', counts, part, n) == n then trim(counts, oldest) end
        call('EXPIRE', counts, seconds * parts + DAY)
      end
    end
  end
end
return 1

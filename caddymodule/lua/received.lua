-- received: adds the requests that the receivers of one process counted to the counts in the store.
--
-- KEYS[1] the tag of the keys that belong to the whole store
-- ARGV[1] the process, ARGV[2] the number of this batch, ARGV[3…] for each count: receiver, outcome, minutes since 1970, number of requests
-- Returns 1, or 0 for a batch that was added before.
--
-- Keys: received:0:<receiver> counts all requests since the first one, by outcome. received:<seconds>:<receiver> counts those of an hour, a day or a
-- week in parts of so many seconds, with a field <start of the part>:<outcome> for each outcome that occurred in the part; parts that are too old are
-- removed when a new one begins. received:names says when each receiver counted last, received:by:<process> the number of the process's last batch.
-- Safe to repeat within a day: a process sends one batch at a time, with the same number until it has heard that the batch was added.

local call, tag = redis.call, KEYS[1]
local WINDOWS = {{60, 60}, {1800, 48}, {10800, 56}} -- seconds of a part, how many
local KEPT = 30 * 86400 -- a receiver without requests for so long is forgotten
local MOST = 200 -- receivers that are counted
local DAY = 86400

local process, batch = ARGV[1], ARGV[2]
local last_batch = tag .. 'received:by:' .. process
if call('GET', last_batch) == batch then return 0 end
call('SET', last_batch, batch, 'EX', DAY)
local now = tonumber(call('TIME')[1])
local names = tag .. 'received:names'

-- counts_of returns the key of a receiver's counts: those in parts of so many seconds, or with 0 those since the first request.
local function counts_of(name, seconds) return tag .. 'received:' .. seconds .. ':' .. name end

-- has_room reports whether a receiver is counted already, or may be. To make room it forgets those without requests for long.
local function has_room(name)
  if call('HEXISTS', names, name) == 1 then return true end
  if call('HLEN', names) < MOST then return true end
  local all = call('HGETALL', names)
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]) < now - KEPT then call('HDEL', names, all[i]) end
  end
  return call('HLEN', names) < MOST
end

-- trim removes the parts that began before the oldest one of the window.
local function trim(key, oldest)
  for _, field in ipairs(call('HKEYS', key)) do
    if tonumber(string.match(field, '^%d+')) < oldest then call('HDEL', key, field) end
  end
end

for i = 3, #ARGV, 4 do
  local name, outcome, at, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]) * 60, tonumber(ARGV[i + 3])
  if has_room(name) then
    call('HSET', names, name, now)
    local total = counts_of(name, 0)
    call('HINCRBY', total, outcome, count)
    call('EXPIRE', total, KEPT)
    for _, window in ipairs(WINDOWS) do
      local seconds, parts = window[1], window[2]
      local start, oldest = at - at % seconds, now - now % seconds - (parts - 1) * seconds
      if start >= oldest then
        local counts, part = counts_of(name, seconds), string.format('%.0f', start) .. ':' .. outcome
        if call('HINCRBY', counts, part, count) == count then trim(counts, oldest) end
        call('EXPIRE', counts, seconds * parts + DAY)
      end
    end
  end
end
return 1

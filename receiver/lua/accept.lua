-- accept: claims events and queues them, in one step: an event that is known from then on is in the queue.
--
-- KEYS[1] the receiver's tag, see lib.lua of internal/queue
-- ARGV[10] lane, ARGV[11] number of events, then for each: the claim's value as in claim.lua ("" for an event without an
--   identity), its two keys, ms to remember it, job, payload
-- Returns one character for each event: "0" queued, "1" in work elsewhere, "2" known before, "3" the queue is full.
--
-- Safe to repeat: a claim whose answer was lost finds its own value; its job, where that is there, is not queued again.

local PER_EVENT = 6
local lane = ARGV[10]
local key, conf = base .. 'lane:' .. lane, base .. 'conf:' .. lane
local answers, fresh, due, room = {}, {}, {}, C.pending - call('ZCARD', key)

if call('EXISTS', conf) == 0 then
  call('HSET', conf, 'st', 'active', 'fix', '1', 'w', 1000000, 'fl', 0) -- the app's own limits count, not a window
end
for i = 1, tonumber(ARGV[11]) do
  local at = 11 + (i - 1) * PER_EVENT
  local v, job = ARGV[at + 1], ARGV[at + 5]
  local answer = '0'
  if call('EXISTS', base .. 'body:' .. job) == 0 then
    if room <= 0 then
      -- A copy of a known event needs no room.
      local id, digest = call('GET', ARGV[at + 2]), call('GET', ARGV[at + 3])
      local found = v ~= '' and (id or digest)
      answer = found and verdict(found) or '3'
    elseif v ~= '' then
      answer = take_keys(ARGV[at + 2], ARGV[at + 3], v, 'd', ARGV[at + 4])
    end
    if answer == '0' then
      fresh[#fresh + 1] = i
      due[#due + 1] = now
      due[#due + 1] = job
      room = room - 1
    end
  end
  answers[i] = answer
end
if #fresh > 0 then
  call('ZADD', base .. 'ages', 'NX', next_look(), lane)
  call('ZADD', key, unpack(due))
  -- The payload last: by it a repeated call knows that the event is in the queue already.
  for _, i in ipairs(fresh) do
    local at = 11 + (i - 1) * PER_EVENT
    call('SET', base .. 'body:' .. ARGV[at + 5], '1' .. ARGV[at + 6], 'PX', C.open_ttl)
  end
  local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap')
  offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), 0)
  waiting(#fresh)
  wake()
end
return table.concat(answers)

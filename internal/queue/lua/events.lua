-- events: lists the events of an account, newest first, all as of one moment. Changes nothing.
--
-- KEYS[1] the shard's tag
-- ARGV[10] account, ARGV[11] where to begin in its stream of events ("+", or "(" and the ID of an entry to go on behind), ARGV[12] the earliest time of
--   an event (ms; "" for any), ARGV[13] how many events to return at most, ARGV[14] how many entries to read at most, ARGV[15] the only type wanted
--   ("" for any)
-- Returns the ID of the entry behind which there may be more ("" where there is none), then for each event: job, ID ("" where it follows from the job),
--   type, timestamp, creation (ms), the states of its deliveries (a letter of STATE for each lane).

local account, from, since, most, entries_left, kind = unpack(ARGV, 10, 15)
most, entries_left = tonumber(most), tonumber(entries_left)
local key = base .. 'events:' .. account
local till = int(math.max(tonumber(since) or 0, now - EVENTS_TTL, 0)) -- older entries are in the stream only until it is trimmed
local reply, found = { '' }, 0

while entries_left > 0 do
  local part = math.min(100, entries_left)
  local entries = call('XREVRANGE', key, from, till, 'COUNT', int(part))
  for _, entry in ipairs(entries) do
    if found == most then
      reply[1] = string.sub(from, 2) -- this entry is the next one
      return reply
    end
    from, entries_left = '(' .. entry[1], entries_left - 1
    local job, entry_kind = entry[2][2], entry[2][4]
    if kind == '' or kind == entry_kind then
      local e = call('HMGET', base .. 'event:' .. job, 'a', 'i', 't', 'c', 's')
      if e[1] == account and e[3] then -- an event that was expunged has no timestamp
        found = found + 1
        for _, v in ipairs({ job, e[2] or '', entry_kind, e[3], e[4], e[5] or '' }) do reply[#reply + 1] = v end
      end
    end
  end
  if #entries < part then return reply end
end
reply[1] = string.sub(from, 2)
return reply

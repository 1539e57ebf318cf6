-- events: lists an account's events, newest first, all as of one moment. Changes nothing.
--
-- KEYS[1] the shard
-- ARGV[10] account, ARGV[11] where to begin in its stream ("+", or "(" and an entry's ID), ARGV[12] ms before which none is wanted ("" for any),
--   ARGV[13] most events, ARGV[14] most entries to look at, ARGV[15] the only type wanted ("" for any)
-- Returns the entry after which there may be more ("" where there is none), then for each event: job, ID ("" where it follows
--   from the job), type, timestamp, created, its states (a letter of STATE for each lane).

local account, from, since, most, left, kind = unpack(ARGV, 10, 15)
most, left = tonumber(most), tonumber(left)
local key = base .. 'events:' .. account
local till = int(math.max(tonumber(since) or 0, now - EVENTS_TTL, 0)) -- what is older is still there by chance
local reply, found = { '' }, 0

while left > 0 do
  local part = math.min(100, left)
  local entries = call('XREVRANGE', key, from, till, 'COUNT', int(part))
  for _, entry in ipairs(entries) do
    if found == most then
      reply[1] = string.sub(from, 2) -- there is at least this one more
      return reply
    end
    from, left = '(' .. entry[1], left - 1
    local job, its_kind = entry[2][2], entry[2][4]
    if kind == '' or kind == its_kind then
      local e = call('HMGET', base .. 'event:' .. job, 'a', 'i', 't', 'c', 's')
      if e[1] == account and e[3] then -- one that was expunged has none of that
        found = found + 1
        for _, v in ipairs({ job, e[2] or '', its_kind, e[3], e[4], e[5] or '' }) do reply[#reply + 1] = v end
      end
    end
  end
  if #entries < part then return reply end
end
reply[1] = string.sub(from, 2)
return reply

-- key_delete: ends API keys, and with each those that it made.
--
-- KEYS[1] the shard
-- ARGV[10] most that are ended by this call, ARGV[11…] their IDs; none: those whose time is over
-- Returns how many are left to end, so that it is called again until there are none.
--
-- Safe to repeat: what is gone is passed over. A key is removed only after those that it made are on the list, so an
-- abort leaves none behind that nobody would find.

local most, todo = tonumber(ARGV[10]), {}
for i = 11, #ARGV do
  todo[#todo + 1] = ARGV[i]
  -- Refused from now on, however long the rest takes.
  if call('HEXISTS', base .. 'apikeys', ARGV[i]) == 1 then call('ZADD', base .. 'apikeysend', 0, ARGV[i]) end
end
if #todo == 0 then todo = call('ZRANGEBYSCORE', base .. 'apikeysend', '-inf', int(now), 'LIMIT', 0, most) end
local done, at = 0, 1
while at <= #todo and done < most do
  local id = todo[at]
  local record = call('HGET', base .. 'apikeys', id)
  local room = most - (#todo - at)
  if room < 1 then break end
  local made = call('SRANDMEMBER', base .. 'apikeysby:' .. id, room)
  if #made > 0 then
    -- Those first; this one stays on the list behind them.
    for i = 1, #made do
      todo[#todo + 1] = made[i]
      call('SREM', base .. 'apikeysby:' .. id, made[i])
      call('ZADD', base .. 'apikeysend', 0, made[i]) -- found again, should this be all that was done
    end
    todo[#todo + 1] = id
  elseif record then
    local r = cjson.decode(record)
    call('HDEL', base .. 'apikeysums', r.sum)
    call('ZREM', base .. 'apikeysof:' .. r.account, id)
    call('ZREM', base .. 'apikeysall', id)
    call('SREM', base .. 'apikeysby:' .. r.by, id)
    call('HDEL', base .. 'apikeysused', id)
    call('ZREM', base .. 'apikeysend', id)
    call('HDEL', base .. 'apikeys', id)
  else
    call('ZREM', base .. 'apikeysend', id)
  end
  done, at = done + 1, at + 1
end
if #ARGV < 11 then return call('ZCOUNT', base .. 'apikeysend', '-inf', int(now)) end
return #todo - at + 1

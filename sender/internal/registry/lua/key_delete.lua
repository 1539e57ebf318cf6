-- key_delete: deletes API keys, and all keys that were made with them.
--
-- KEYS[1] the shard's tag
-- ARGV[10] how many keys this call may handle, ARGV[11…] the IDs of the keys; without any, those are deleted whose time is over
-- Returns how many are left to delete. The caller calls again, until there are none.
--
-- Keys: apikeys holds the record of each key by its ID, apikeysums the ID by the hash of the key; apikeysall, apikeysof:<account> and
-- apikeysby:<key> list all keys, those of an account, and those that were made with a key; apikeysend says when a key ends, and from then on it
-- is refused; apikeysused says in which hour a key was last used.
-- Safe to repeat: a key that is deleted already is passed over. A key is removed only after those that were made with it are in apikeysend,
-- so after an abort a later call still finds all of them.

local most_keys, to_delete = tonumber(ARGV[10]), {}
for i = 11, #ARGV do
  to_delete[#to_delete + 1] = ARGV[i]
  -- With a time that is over, the key is refused from now on.
  if call('HEXISTS', base .. 'apikeys', ARGV[i]) == 1 then call('ZADD', base .. 'apikeysend', 0, ARGV[i]) end
end
if #to_delete == 0 then to_delete = call('ZRANGEBYSCORE', base .. 'apikeysend', '-inf', int(now), 'LIMIT', 0, most_keys) end
local handled, position = 0, 1
while position <= #to_delete and handled < most_keys do
  local id = to_delete[position]
  local record = call('HGET', base .. 'apikeys', id)
  local most_children = most_keys - (#to_delete - position)
  if most_children < 1 then break end
  local children = call('SRANDMEMBER', base .. 'apikeysby:' .. id, most_children)
  if #children > 0 then
    -- The keys that were made with this one come first. It comes once more behind them.
    for i = 1, #children do
      to_delete[#to_delete + 1] = children[i]
      call('SREM', base .. 'apikeysby:' .. id, children[i])
      call('ZADD', base .. 'apikeysend', 0, children[i]) -- a later call finds it, should this one be aborted
    end
    to_delete[#to_delete + 1] = id
  elseif record then
    local key = cjson.decode(record)
    call('HDEL', base .. 'apikeysums', key.sum)
    call('ZREM', base .. 'apikeysof:' .. key.account, id)
    call('ZREM', base .. 'apikeysall', id)
    call('SREM', base .. 'apikeysby:' .. key.by, id)
    call('HDEL', base .. 'apikeysused', id)
    call('ZREM', base .. 'apikeysend', id)
    call('HDEL', base .. 'apikeys', id)
  else
    call('ZREM', base .. 'apikeysend', id)
  end
  handled, position = handled + 1, position + 1
end
if #ARGV < 11 then return call('ZCOUNT', base .. 'apikeysend', '-inf', int(now)) end
return #to_delete - position + 1

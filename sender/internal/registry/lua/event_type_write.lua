-- event_type_write: stores or removes the definition of an event type, if nobody has changed it since the caller read it.
--
-- KEYS[1] the shard's tag
-- ARGV[10] name of the type, ARGV[11] the definition that the caller read ("" where there was none), ARGV[12] the new definition ("" removes it),
--   ARGV[13] how many types may have a definition
-- Returns "ok", "changed" where the definition is another one by now, or "limit" where as many types as may have one.
--
-- Safe to repeat: a second call finds the definition that the first one stored, and answers "ok".

local name, before, after, most = unpack(ARGV, 10, 13)
most = tonumber(most)
local types = base .. 'eventtypes'
local stored = call('HGET', types, name) or ''
if stored ~= after then
  if stored ~= before then return 'changed' end
  if after == '' then
    write_when_full()
    call('HDEL', types, name)
  else
    if stored == '' and call('HLEN', types) >= most then return 'limit' end
    call('HSET', types, name, after)
  end
end
call('INCR', base .. 'eventtypesv')
return 'ok'

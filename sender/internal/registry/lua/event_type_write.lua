-- event_type_write: keeps, or takes away, what was said at run time of an event type that is still as it was read.
--
-- KEYS[1] the shard
-- ARGV[10] name, ARGV[11] what was read of it, "" for nothing, ARGV[12] what it is from now on, "" for nothing, ARGV[13] most of them
-- Returns "ok", "changed" where it is another by now, or "limit" where there are too many.
--
-- Safe to repeat: a second call finds what the first wrote.

local name, before, after, most = unpack(ARGV, 10, 13)
most = tonumber(most)
local types = base .. 'eventtypes'
local there = call('HGET', types, name) or ''
if there ~= after then
  if there ~= before then return 'changed' end
  if after == '' then
    drain()
    call('HDEL', types, name)
  else
    if there == '' and call('HLEN', types) >= most then return 'limit' end
    call('HSET', types, name, after)
  end
end
call('INCR', base .. 'eventtypesv')
return 'ok'

-- event_type_write: keeps, or takes away, what was said at run time of an event type that is still as it was read.
--
-- KEYS[1] the shard
-- ARGV[10] name, ARGV[11] what was read of it, "" for nothing, ARGV[12] what it is from now on, "" for nothing, ARGV[13] most of them
-- Returns "ok", "changed" where it is another by now, or "limit" where there are too many.
--
-- Safe to repeat: a second call finds what the first wrote.

local types = base .. 'eventtypes'
local there = call('HGET', types, ARGV[10]) or ''
if there ~= ARGV[12] then
  if there ~= ARGV[11] then return 'changed' end
  if ARGV[12] == '' then
    drain()
    call('HDEL', types, ARGV[10])
  else
    if there == '' and call('HLEN', types) >= tonumber(ARGV[13]) then return 'limit' end
    call('HSET', types, ARGV[10], ARGV[12])
  end
end
call('INCR', base .. 'eventtypesv')
return 'ok'

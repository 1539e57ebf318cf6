-- gateways: notes how a gateway has set the queues of a receiver up, and tells it of others that have set them up otherwise.
--
-- KEYS[1] the tag of a queue, see lib.lua of internal/queue
-- ARGV[10] the receiver's tag, ARGV[11] the gateway, ARGV[12] how it has set the queues up, ARGV[13] the process that it is a part of,
--   ARGV[14] the machine, ARGV[15] for how many ms that holds; 0 takes the note back
-- Returns machine and set-up of each other gateway that differs and is not of the same process: a reload has both for a moment.
--
-- A note that is not made again ends by itself, so that a gateway that was taken away or set up anew stands in nobody's way.
-- Safe to repeat.

local key, me, setup, process, host, kept = ARGV[10] .. 'gateways', ARGV[11], ARGV[12], ARGV[13], ARGV[14], tonumber(ARGV[15])
local MOST = 200 -- notes of the past that one call removes
if kept == 0 then
  call('HDEL', key, me)
  return {}
end
call('HSET', key, me, int(now + kept) .. '\n' .. process .. '\n' .. host .. '\n' .. setup)
call('PEXPIRE', key, kept)
local differ, ended = {}, {}
local notes = call('HGETALL', key)
for i = 1, #notes, 2 do
  local ends, of, machine, other = string.match(notes[i + 1], '^(%d+)\n([^\n]*)\n([^\n]*)\n(.*)$')
  if not ends or tonumber(ends) < now then
    if #ended < MOST then ended[#ended + 1] = notes[i] end
  elseif other ~= setup and of ~= process then
    differ[#differ + 1] = machine
    differ[#differ + 1] = other
  end
end
if #ended > 0 then call('HDEL', key, unpack(ended)) end
return differ

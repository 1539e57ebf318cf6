-- gateways: notes how a gateway has set up the queues of a receiver, and returns the gateways that have set them up differently.
--
-- KEYS[1] the tag of a queue, see lib.lua of internal/queue
-- ARGV[10] the receiver's tag, ARGV[11] the gateway, ARGV[12] its set-up of the queues, encoded, ARGV[13] the process that the gateway is part of,
--   ARGV[14] the machine, ARGV[15] ms for which the note counts; 0 removes it
-- Returns machine and set-up of each other gateway that differs and is part of another process: while a process reloads, it has both for a moment.
--
-- A note that is not renewed ends by itself, so a gateway that was removed or set up anew causes no report for long.
-- Safe to repeat: it writes the same note again, with a time that begins anew.

local key, gateway, setup, process, machine, kept = ARGV[10] .. 'gateways', ARGV[11], ARGV[12], ARGV[13], ARGV[14], tonumber(ARGV[15])
local MOST = 200 -- notes whose time is over that one call removes
if kept == 0 then
  call('HDEL', key, gateway)
  return {}
end
call('HSET', key, gateway, int(now + kept) .. '\n' .. process .. '\n' .. machine .. '\n' .. setup)
call('PEXPIRE', key, kept)
local differ, ended = {}, {}
local notes = call('HGETALL', key)
for i = 1, #notes, 2 do
  local ends, other_process, other_machine, other_setup = string.match(notes[i + 1], '^(%d+)\n([^\n]*)\n([^\n]*)\n(.*)$')
  if not ends or tonumber(ends) < now then
    if #ended < MOST then ended[#ended + 1] = notes[i] end
  elseif other_setup ~= setup and other_process ~= process then
    differ[#differ + 1] = other_machine
    differ[#differ + 1] = other_setup
  end
end
if #ended > 0 then call('HDEL', key, unpack(ended)) end
return differ

-- mail_done: says what became of a mailbox.
--
-- KEYS[1] the shard
-- ARGV[10] kind of mailboxes, ARGV[11] mailbox, ARGV[12] ms until it is tried again, or "" where what follows was told or given
--   up, ARGV[13] ms for which nothing more is told, ARGV[14] tries so far, ARGV[15…] what was told or given up
-- Returns 1.
--
-- Safe to repeat.

local kind, box, again, pause, tries = unpack(ARGV, 10, 14)
pause = tonumber(pause)
local due = base .. 'mails:' .. kind
local held = base .. 'mailbox:' .. box
local account = string.match(box, '^([^~/]+)/') -- nil: the operator's
if account and call('EXISTS', base .. 'account:' .. account) == 0 then -- deleted meanwhile
  call('DEL', held, base .. 'mailed:' .. box, base .. 'thread:' .. box)
  call('ZREM', due, box)
  return 1
end
for i = 15, #ARGV do call('HDEL', held, ARGV[i]) end
if again ~= '' then
  pause = tonumber(again)
  call('HSET', held, '#tries', tries)
else
  call('HDEL', held, '#tries')
  if pause > 0 then call('SET', base .. 'mailed:' .. box, '1', 'PX', int(pause)) end
end
if call('HLEN', held) == 0 then
  call('ZREM', due, box)
else
  call('ZADD', due, int(now + pause), box)
end
return 1

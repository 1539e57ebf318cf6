-- mail_done: removes entries of a mailbox that were told or given up, or has the mailbox tried again later.
--
-- KEYS[1] the shard's tag
-- ARGV[10] kind of the mailbox, ARGV[11] mailbox, ARGV[12] ms until it is tried again ("" where its message was sent or given up), ARGV[13] ms until
--   the next message to the address, if the message was sent or given up, ARGV[14] how often the message was tried, ARGV[15…] names of the entries to remove
-- Returns 1.
--
-- Safe to repeat: it writes the same again, with times that begin anew.

local kind, box, again, pause, tries = unpack(ARGV, 10, 14)
pause = tonumber(pause)
local due = base .. 'mails:' .. kind
local held = base .. 'mailbox:' .. box
local account = string.match(box, '^([^~/]+)/') -- nil where the mailbox is the operator's
if account and call('EXISTS', base .. 'account:' .. account) == 0 then -- the account was deleted meanwhile
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

-- mail_forget: takes out of the operator's mailboxes what tells of an account.
--
-- KEYS[1] the shard
-- ARGV[10] kind of mailboxes, ARGV[11] mailbox, ARGV[12] number of entries, ARGV[13…] these, then lanes of which mails told
-- Returns 1.
--
-- Safe to repeat. What is left in the mailbox keeps its time.

local kind, box, entries = unpack(ARGV, 10, 12)
entries = tonumber(entries)
local held = base .. 'mailbox:' .. box
drain()
for i = 13, 12 + entries do call('HDEL', held, ARGV[i]) end
for i = 13 + entries, #ARGV do call('HDEL', base .. 'thread:' .. box, ARGV[i]) end
if call('HLEN', held) - call('HEXISTS', held, '#tries') == 0 then
  call('DEL', held)
  call('ZREM', base .. 'mails:' .. kind, box)
end
return 1

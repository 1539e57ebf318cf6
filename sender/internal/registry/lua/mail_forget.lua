-- mail_forget: removes what tells of an account from a mailbox of the operator.
--
-- KEYS[1] the shard's tag
-- ARGV[10] kind of the mailbox, ARGV[11] mailbox, ARGV[12] number of entries to remove, ARGV[13…] their names, then the lanes whose first mails
--   (thread:<mailbox>) are to be forgotten
-- Returns 1.
--
-- Safe to repeat: what is removed already is passed over. Other entries of the mailbox stay, and are due when they were.

local kind, box, entries = unpack(ARGV, 10, 12)
entries = tonumber(entries)
local held = base .. 'mailbox:' .. box
write_when_full()
for i = 13, 12 + entries do call('HDEL', held, ARGV[i]) end
for i = 13 + entries, #ARGV do call('HDEL', base .. 'thread:' .. box, ARGV[i]) end
if call('HLEN', held) - call('HEXISTS', held, '#tries') == 0 then
  call('DEL', held)
  call('ZREM', base .. 'mails:' .. kind, box)
end
return 1

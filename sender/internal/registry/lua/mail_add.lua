-- mail_add: puts an entry into a mailbox. A mailbox holds what the next message to one address will tell.
--
-- KEYS[1] the shard's tag
-- ARGV[10] kind of the mailbox, ARGV[11] mailbox, ARGV[12] name of the entry, ARGV[13] content of the entry, ARGV[14] ms to wait for more entries
-- Returns ms until the mailbox is due; 0 where its account is deleted or being deleted, and then nothing is stored.
--
-- Safe to repeat: an entry whose name is in the mailbox already stays as it is. A mailbox that has a time at which it is due keeps it; another
-- one is due when the entries have been waited for, but not before the pause after the last message is over.

local kind, box, name, content, gather = unpack(ARGV, 10, 14)
gather = tonumber(gather)
local due = base .. 'mails:' .. kind
local account = string.match(box, '^([^~/]+)/') -- nil where the mailbox is the operator's
if account then
  local h = call('HMGET', base .. 'account:' .. account, 'c', 'x')
  if not h[1] or h[2] then return 0 end
  call('SADD', base .. 'boxes:' .. account, box)
end
call('HSETNX', base .. 'mailbox:' .. box, name, content)
local pause = call('PTTL', base .. 'mailed:' .. box)
call('ZADD', due, 'NX', int(now + math.max(pause, gather)), box)
return math.max(0, tonumber(call('ZSCORE', due, box)) - now)

-- mail_add: puts something into a mailbox, which is what waits to be told to one address in one message.
--
-- KEYS[1] the shard
-- ARGV[10] kind of mailboxes, ARGV[11] mailbox, ARGV[12] what it goes by there, ARGV[13] what is to be told, ARGV[14] ms to
--   wait for more of it
-- Returns ms until the mailbox is due. Where its account is deleted meanwhile, nothing is put in.
--
-- Safe to repeat: it stands under the same name. A mailbox that is due stays due; one that was emptied a while ago waits for
-- the end of its pause.

local kind, box, name, content, gather = unpack(ARGV, 10, 14)
gather = tonumber(gather)
local due = base .. 'mails:' .. kind
local account = string.match(box, '^([^~/]+)/') -- nil: the operator's
if account then
  local h = call('HMGET', base .. 'account:' .. account, 'c', 'x')
  if not h[1] or h[2] then return 0 end
  call('SADD', base .. 'boxes:' .. account, box)
end
call('HSETNX', base .. 'mailbox:' .. box, name, content)
local pause = call('PTTL', base .. 'mailed:' .. box)
call('ZADD', due, 'NX', int(now + math.max(pause, gather)), box)
return math.max(0, tonumber(call('ZSCORE', due, box)) - now)

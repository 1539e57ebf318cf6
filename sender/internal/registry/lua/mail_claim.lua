-- mail_claim: claims the mailbox that is due first, if any is due.
--
-- KEYS[1] the shard's tag
-- ARGV[10] kind of the mailboxes, ARGV[11] ms after which another process may claim the mailbox
-- Returns -1 where there are no mailboxes, ms until the first is due, or, where it is due, 0, the mailbox, and names and contents of its entries.
--   Of a mailbox with many thousands of entries it returns some thousands: the caller gets the others with a later claim, once it has removed these.
--
-- Safe to repeat: a mailbox of which nobody says by mail_done.lua what became of it is due again after that time, and its message is sent a
-- second time.

local kind, lease = unpack(ARGV, 10, 11)
lease = tonumber(lease)
local due = base .. 'mails:' .. kind
local first = call('ZRANGE', due, 0, 0, 'WITHSCORES')
if #first == 0 then return { -1 } end
local at = tonumber(first[2])
if at > now then return { at - now } end
call('ZADD', due, int(now + lease), first[1])

local SOME = '5000'
local held, cursor, found = base .. 'mailbox:' .. first[1], '0', {}
repeat
  local part = call('HSCAN', held, cursor, 'COUNT', SOME)
  cursor, found = part[1], part[2]
until #found > 0 or cursor == '0'
if cursor ~= '0' then -- the number of tries may be in a part that was not read
  found[#found + 1] = '#tries'
  found[#found + 1] = call('HGET', held, '#tries') or '0'
end
return { 0, first[1], found }

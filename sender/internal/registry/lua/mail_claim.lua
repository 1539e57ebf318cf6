-- mail_claim: hands out a mailbox that is due, for a while.
--
-- KEYS[1] the shard
-- ARGV[10] kind of mailboxes, ARGV[11] ms after which another may have it
-- Returns ms until the next is due (-1 where there is none), then the mailbox and what is in it, where one is due now: all of it, or of a large one
--   some thousands of entries. The rest is handed out once these are told.
--
-- Safe to repeat: a mailbox whose holder never says what became of it is due again after that time, and told a second time.

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
if cursor ~= '0' then -- how often it was tried may be in another part
  found[#found + 1] = '#tries'
  found[#found + 1] = call('HGET', held, '#tries') or '0'
end
return { 0, first[1], found }

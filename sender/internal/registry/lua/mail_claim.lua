-- mail_claim: hands out a mailbox that is due, for a while.
--
-- KEYS[1] the shard
-- ARGV[10] kind of mailboxes, ARGV[11] ms after which another may have it
-- Returns ms until the next is due (-1 where there is none), then the mailbox and what is in it, where one is due now.
--
-- Safe to repeat: a mailbox whose holder never says what became of it is due again after that time, and told a second time.

local due = base .. 'mails:' .. ARGV[10]
local first = call('ZRANGE', due, 0, 0, 'WITHSCORES')
if #first == 0 then return { -1 } end
local at = tonumber(first[2])
if at > now then return { at - now } end
call('ZADD', due, int(now + tonumber(ARGV[11])), first[1])
return { 0, first[1], call('HGETALL', base .. 'mailbox:' .. first[1]) }

-- account_write: changes what the owner of an account set, where it is still as it was read.
--
-- KEYS[1] the shard
-- ARGV[10] account, ARGV[11] version read, "" where there was none, ARGV[12] what it is from now on
-- Returns ms of the account's creation, or "changed" where it has another version by now, or "ending" where the account is being deleted.
--
-- Safe to repeat: a second call finds another version, with what it wanted to write.

local account, version, info = unpack(ARGV, 10, 12)
local key = base .. 'account:' .. account
local h = call('HMGET', key, 'v', 'info')
if (h[1] or '') ~= version and h[2] ~= info then return 'changed' end
if not open_account(account) then return 'ending' end
call('HSET', key, 'v', int((tonumber(h[1]) or 0) + 1), 'info', info)
return tonumber(call('HGET', key, 'c'))

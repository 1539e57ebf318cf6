-- account_write: stores the settings of an account, if nobody has changed them since the caller read them.
--
-- KEYS[1] the shard's tag
-- ARGV[10] account, ARGV[11] the version of the settings that the caller read ("" where there were none), ARGV[12] the new settings, encoded
-- Returns the time at which the account was created (ms), "changed" where the settings have another version by now, or "ending" where the
--   account is being deleted.
--
-- Safe to repeat: a second call finds another version, and the very settings that it was to store.

local account, version, info = unpack(ARGV, 10, 12)
local key = base .. 'account:' .. account
local h = call('HMGET', key, 'v', 'info')
if (h[1] or '') ~= version and h[2] ~= info then return 'changed' end
if not open_account(account) then return 'ending' end
call('HSET', key, 'v', int((tonumber(h[1]) or 0) + 1), 'info', info)
return tonumber(call('HGET', key, 'c'))

-- token_store: says what came of asking for an access token.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] who asked, ARGV[12] the record, or "" where none was given, ARGV[13] ms that it is good for,
--   ARGV[14] the account
-- Returns 1.
--
-- Safe to repeat: the record is the same. Of a webhook that was deleted meanwhile nothing is kept.

local lane, process, record, lifetime, account = unpack(ARGV, 10, 14)
local token, lock = base .. 'token:' .. lane, base .. 'tokenlock:' .. lane
local h = call('HMGET', base .. 'conf:' .. lane, 'a', 'st')
if record ~= '' and h[1] == account and h[2] ~= 'deleted' then call('SET', token, record, 'PX', lifetime) end
if call('GET', lock) == process then call('DEL', lock) end
return 1

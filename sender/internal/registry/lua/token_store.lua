-- token_store: says what came of asking for an access token.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] who asked, ARGV[12] the record, or "" where none was given, ARGV[13] ms that it is good for,
--   ARGV[14] the account
-- Returns 1.
--
-- Safe to repeat: the record is the same. Of a webhook that was deleted meanwhile nothing is kept.

local token, lock = base .. 'token:' .. ARGV[10], base .. 'tokenlock:' .. ARGV[10]
local h = call('HMGET', base .. 'conf:' .. ARGV[10], 'a', 'st')
if ARGV[12] ~= '' and h[1] == ARGV[14] and h[2] ~= 'deleted' then call('SET', token, ARGV[12], 'PX', ARGV[13]) end
if call('GET', lock) == ARGV[11] then call('DEL', lock) end
return 1

-- token_store: stores an access token that was requested, or ends a request that brought none.
--
-- KEYS[1] the shard's tag
-- ARGV[10] lane, ARGV[11] the process that requested the token, ARGV[12] the token's record ("" where there is none), ARGV[13] ms for which it is good,
--   ARGV[14] account
-- Returns 1.
--
-- Safe to repeat: it stores the same record again. For a webhook that was deleted meanwhile it stores nothing.

local lane, process, record, lifetime, account = unpack(ARGV, 10, 14)
local token, lock = base .. 'token:' .. lane, base .. 'tokenlock:' .. lane
local h = call('HMGET', base .. 'conf:' .. lane, 'a', 'st')
if record ~= '' and h[1] == account and h[2] ~= 'deleted' then call('SET', token, record, 'PX', lifetime) end
if call('GET', lock) == process then call('DEL', lock) end
return 1

-- token_drop: forgets an access token that is not taken any more, unless another has come in its place.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] the record
-- Returns 1 where it was there.
--
-- Safe to repeat: a second call finds it gone.

local lane, record = unpack(ARGV, 10, 11)
local token = base .. 'token:' .. lane
if call('GET', token) ~= record then return 0 end
return call('DEL', token)

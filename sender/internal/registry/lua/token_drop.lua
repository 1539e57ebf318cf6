-- token_drop: forgets an access token that is not taken any more, unless another has come in its place.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] the record
-- Returns 1 where it was there.
--
-- Safe to repeat: a second call finds it gone.

local token = base .. 'token:' .. ARGV[10]
if call('GET', token) ~= ARGV[11] then return 0 end
return call('DEL', token)

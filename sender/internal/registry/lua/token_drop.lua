-- token_drop: removes an access token that the endpoint does not accept any more, if no other one has taken its place.
--
-- KEYS[1] the shard's tag
-- ARGV[10] lane, ARGV[11] the token's record
-- Returns 1 where it removed the token, otherwise 0.
--
-- Safe to repeat: a second call finds no token.

local lane, record = unpack(ARGV, 10, 11)
local token = base .. 'token:' .. lane
if call('GET', token) ~= record then return 0 end
return call('DEL', token)

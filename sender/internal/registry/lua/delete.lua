-- delete: takes a webhook out of its account. Its waiting deliveries are cancelled afterwards, by cancel.lua.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] account, ARGV[12] version read, ARGV[13] how it stands in topics (see lib.lua), ARGV[14…] subscriptions
-- Returns "ok", or "gone" where there is no such webhook, or "changed" where it has another version by now.
--
-- Safe to repeat: a second call finds it deleted. The chore is written before the webhook goes, so a crash in between leaves it to be done.

local lane, account, version, member = unpack(ARGV, 10, 13)
local conf = base .. 'conf:' .. lane
local h = call('HMGET', conf, 'a', 'st', 'v')
if h[1] ~= account then return 'gone' end
if h[2] == 'deleted' then return 'ok' end
if h[3] ~= version then return 'changed' end -- it may have other subscriptions
call('SADD', base .. 'chores', 'cancel:' .. lane)
subscriptions_changed()
for i = 14, #ARGV do call('SREM', base .. 'topic:' .. account .. ':' .. ARGV[i], member) end
call('HSET', conf, 'st', 'deleted')
call('HDEL', conf, 'meta', 'pub', 'nl', 'q')
call('UNLINK', base .. 'idx:' .. lane, base .. 'old:' .. lane, base .. 'figures:w:' .. lane, base .. 'token:' .. lane, base .. 'tokenlock:' .. lane)
local kept = math.max(C.id_ttl, C.kept_dead, C.log_ttl + 3600000) -- as long as anything of it may be there
call('PEXPIRE', conf, kept)
call('ZREMRANGEBYSCORE', base .. 'unhooked:' .. account, '-inf', since(kept))
call('ZADD', base .. 'unhooked:' .. account, now_text, lane)
call('PEXPIRE', base .. 'unhooked:' .. account, kept)
call('ZREM', base .. 'ready', lane)
call('ZREM', base .. 'notices', lane)
call('ZREM', base .. 'hooks:' .. account, lane)
return 'ok'

-- delete: deletes a webhook. cancel.lua ends its waiting deliveries afterwards.
--
-- KEYS[1] the shard's tag
-- ARGV[10] lane, ARGV[11] account, ARGV[12] the version of the webhook that the caller read, ARGV[13] its member in the sets of its topics
--   (see topic: in lib.lua), ARGV[14…] its subscriptions
-- Returns "ok", "gone" where the account has no such webhook, or "changed" where it has another version by now.
--
-- Safe to repeat: a second call finds the webhook deleted. The task is written before the webhook is deleted, so after a crash in between
-- whoever runs the tasks ends the deliveries.

local lane, account, version, member = unpack(ARGV, 10, 13)
local conf = base .. 'conf:' .. lane
local h = call('HMGET', conf, 'a', 'st', 'v')
if h[1] ~= account then return 'gone' end
if h[2] == 'deleted' then return 'ok' end
if h[3] ~= version then return 'changed' end -- its subscriptions may be others by now
call('SADD', base .. 'chores', 'cancel:' .. lane)
subscriptions_changed()
for i = 14, #ARGV do call('SREM', base .. 'topic:' .. account .. ':' .. ARGV[i], member) end
call('HSET', conf, 'st', 'deleted')
call('HDEL', conf, 'meta', 'pub', 'nl', 'q')
call('UNLINK', base .. 'idx:' .. lane, base .. 'old:' .. lane, base .. 'figures:w:' .. lane, base .. 'token:' .. lane, base .. 'tokenlock:' .. lane)
local kept = math.max(C.id_ttl, C.kept_dead, C.log_ttl + 3600000) -- as long as anything else of the webhook is kept
call('PEXPIRE', conf, kept)
call('ZREMRANGEBYSCORE', base .. 'unhooked:' .. account, '-inf', id_before(kept))
call('ZADD', base .. 'unhooked:' .. account, now_text, lane)
call('PEXPIRE', base .. 'unhooked:' .. account, kept)
call('ZREM', base .. 'ready', lane)
call('ZREM', base .. 'notices', lane)
call('ZREM', base .. 'hooks:' .. account, lane)
return 'ok'

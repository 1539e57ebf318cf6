-- update: changes the settings of a webhook, if nobody has changed them since the caller read them.
--
-- KEYS[1] the shard's tag
-- ARGV[10] lane, ARGV[11] account, ARGV[12] the version of the webhook that the caller read, ARGV[13] the settings that the API shows, encoded,
--   ARGV[14] the settings that an attempt needs, encoded, ARGV[15] rate limit, ARGV[16] attempts in flight at most, ARGV[17] "1" where the webhook is
--   ordered, ARGV[18] new status ("" where it stays), ARGV[19] "1" where the URL changes, ARGV[20] and ARGV[21] its member in the sets of its topics before
--   and from now on (see topic: in lib.lua), ARGV[22] number of subscriptions before, ARGV[23…] these, then its subscriptions from now on
-- Returns "ok", "changed" where the webhook has another version by now, or "gone" where the account has no such webhook.
--
-- Safe to repeat: a second call finds another version, and changes nothing.

local lane, account, version, shown, meta, rate, cap, ordered, new_status, url_changes, member_before, member, previous = unpack(ARGV, 10, 22)
previous = tonumber(previous)
local conf = base .. 'conf:' .. lane
local h = call('HMGET', conf, 'a', 'st', 'v', 'fl', 'w', 'hu', 'ord')
if h[1] ~= account or h[2] == 'deleted' then return 'gone' end
if h[3] ~= version then return 'changed' end
local status, held = h[2], h[6]
subscriptions_changed()
for i = 23, 22 + previous do call('SREM', base .. 'topic:' .. account .. ':' .. ARGV[i], member_before) end
for i = 23 + previous, #ARGV do call('SADD', base .. 'topic:' .. account .. ':' .. ARGV[i], member) end
if member_before ~= member then call('HDEL', conf, 'fe') end -- it counted failures of the filter before
call('HSET', conf, 'v', tonumber(h[3]) + 1, 'pub', shown, 'meta', meta, 'rate', rate, 'cap', cap)
if (ordered == '1') ~= (ordered_by(h[7]) ~= nil) then set_ordered(lane, ordered == '1') end
if new_status ~= '' and new_status ~= status then
  status = new_status
  call('HSET', conf, 'st', status, 'fs', '', 'nf', '0')
  call('HDEL', conf, 'bs')
end
if url_changes == '1' then -- the endpoint before asked for the hold, and attempts under way may ask for it again as they end
  held = nil
  call('HSET', conf, 'hu', '0', 'sb', now_text)
  call('HDEL', conf, 'bs')
end
offer(lane, status, tonumber(h[4]) or 0, window_of(h[5], cap), held, 0)
if is_served(status) then wake() end
return 'ok'

-- update: changes a webhook that is still as it was read.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11] account, ARGV[12] version read, ARGV[13] what is shown of it, ARGV[14] what an attempt needs,
--   ARGV[15] rate, ARGV[16] cap, ARGV[17] "1" where it is ordered, ARGV[18] new status or "", ARGV[19] "1" where its URL is another, ARGV[20] and ARGV[21] how it
--   stood and stands in topics (see lib.lua), ARGV[22] number of old subscriptions, ARGV[23…] these, then the new ones
-- Returns "ok", "changed" where it has another version by now, or "gone".
--
-- Safe to repeat: a second call finds another version.

local lane, account, version, shown, meta, rate, cap, ordered, new_status, moved, member_before, member, old = unpack(ARGV, 10, 22)
old = tonumber(old)
local conf = base .. 'conf:' .. lane
local h = call('HMGET', conf, 'a', 'st', 'v', 'fl', 'w', 'hu', 'ord')
if h[1] ~= account or h[2] == 'deleted' then return 'gone' end
if h[3] ~= version then return 'changed' end
local status, held = h[2], h[6]
subscriptions_changed()
for i = 23, 22 + old do call('SREM', base .. 'topic:' .. account .. ':' .. ARGV[i], member_before) end
for i = 23 + old, #ARGV do call('SADD', base .. 'topic:' .. account .. ':' .. ARGV[i], member) end
if member_before ~= member then call('HDEL', conf, 'fe') end -- another filter's failures
call('HSET', conf, 'v', tonumber(h[3]) + 1, 'pub', shown, 'meta', meta, 'rate', rate, 'cap', cap)
if (ordered == '1') ~= (ordered_by(h[7]) ~= nil) then set_ordered(lane, ordered == '1') end
if new_status ~= '' and new_status ~= status then
  status = new_status
  call('HSET', conf, 'st', status, 'fs', '', 'nf', '0')
  call('HDEL', conf, 'bs')
end
if moved == '1' then -- the endpoint before asked for the hold, and may ask again as attempts under way end
  held = nil
  call('HSET', conf, 'hu', '0', 'sb', now_text)
  call('HDEL', conf, 'bs')
end
offer(lane, status, tonumber(h[4]) or 0, window_of(h[5], cap), held, 0)
if served(status) then wake() end
return 'ok'

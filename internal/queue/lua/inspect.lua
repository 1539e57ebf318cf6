-- inspect: says how jobs of one lane stand. Changes nothing.
--
-- KEYS[1] the shard
-- ARGV[10] lane, ARGV[11…] jobs
-- Returns for each: state, due time or "", attempts, reason or "", then of its event: account, ID or "", type, timestamp, created,
--   whether the payload is still there ("1"/"0")
--   state is "waiting", "leased", "dead", "dropped" (failed, and not kept any more), "gone", "done" or "unknown"

local lane = ARGV[10]
local reply = {}

for i = 11, #ARGV do
  local job = ARGV[i]
  local e = call('HMGET', base .. 'event:' .. job, 'a', 'i', 'y', 't', 'c', 'l', 'x:' .. lane)
  local r = call('HMGET', base .. 'job:' .. lane .. job, 'n', 'r')
  local state, due = 'unknown', call('ZSCORE', base .. 'lane:' .. lane, job)
  if due then
    state = 'waiting'
  elseif call('ZSCORE', base .. 'dead:' .. lane, job) then
    state = 'dead'
  elseif call('ZSCORE', base .. 'gone:' .. lane, job) then
    state = 'gone'
  elseif e[7] then
    state, r[2] = 'dropped', e[7]
  elseif under_way(lane, job) then
    state = 'leased'
  elseif e[6] then
    for l in string.gmatch(e[6], '%S+') do
      if l == lane then state = 'done' end
    end
  end
  for _, v in ipairs({ state, due or '', r[1] or '0', r[2] or '', e[1] or '', e[2] or '', e[3] or '', e[4] or '',
    e[5] or '', tostring(call('EXISTS', base .. 'body:' .. job)) }) do
    reply[#reply + 1] = v
  end
end
return reply

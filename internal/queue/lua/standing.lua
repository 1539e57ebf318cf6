-- standing.lua: the state of a job, for scripts that return it. It stands between lib.lua and each of them.

-- standing returns what inspect.lua answers for a job, but for its log entries; and, where the job failed and is kept, when that was (ms).
-- status is the lane's, and held the result of held_until for it.
local function standing(lane, job, status, held)
  local e = call('HMGET', base .. 'event:' .. job, 'a', 'i', 'y', 't', 'c', 'l', 's', 'x:' .. lane, 'p')
  local record = call('HMGET', base .. 'job:' .. lane .. job, 'n', 'r')
  local state, place, due, next_attempt, reason, failed = '', '', '', '', record[2] or '', nil
  local at = e[6] and e[7] and place_of_lane(e[6], lane)
  if at then state = string.sub(e[7], at, at) end
  if state == STATE.pending or state == STATE.retrying then
    local score = call('ZSCORE', base .. 'lane:' .. lane, job) or not_reached(e[9], at) and now_text
    place = score and 'waiting' or 'leased'
    if score then due = int(math.floor(tonumber(score))) end
    if score and is_served(status) then next_attempt = int(math.max(tonumber(due), tonumber(held) or 0, now)) end
  elseif state == STATE.failed then
    failed = tonumber(call('ZSCORE', base .. 'dead:' .. lane, job) or nil)
    if failed then place = 'dead' else reason = e[8] or reason end
  end
  return { state, place, due, next_attempt, record[1] or '0', reason, e[1] or '', e[2] or '', e[3] or '', e[4] or '', e[5] or '', tostring(call('EXISTS', base .. 'body:' .. job)) }, failed
end

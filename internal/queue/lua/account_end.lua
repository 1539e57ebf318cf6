-- account_end: removes all that an account has from the store, some of it in each call. Its webhooks are to be deleted first, as only the caller knows how.
--
-- KEYS[1] the shard's tag
-- ARGV[10] account, ARGV[11] "1" to begin, otherwise to go on, ARGV[12] the lane of notices to the account's owner, ARGV[13] the lane of notices to the
--   operator, ARGV[14] how many keys and entries to remove at most
-- Returns "more", "hooks" where webhooks are to be deleted first, "done", or "none" where there is no such account, or none that is being deleted.
--
-- Safe to repeat: x in the account's record says since when it is being deleted, and nothing is stored for it from then on; xp is the number of the phase
-- and xc how far that has come. The task stays until all is done. The leases of the account's lanes are removed first, so that attempts under way
-- bring nothing back.

local account, begins, owner_lane, operator_lane, left = unpack(ARGV, 10, 14)
left = tonumber(left)
local record, unhooked, tasks = base .. 'account:' .. account, base .. 'unhooked:' .. account, base .. 'chores'
local h = call('HMGET', record, 'c', 'x', 'xp', 'xc')
if not h[1] then
  call('SREM', tasks, 'account:' .. account)
  return 'none'
end
if not h[2] then
  if begins ~= '1' then -- the account was deleted, and has been made anew
    call('SREM', tasks, 'account:' .. account)
    return 'none'
  end
  call('SADD', tasks, 'account:' .. account)
  call('HSET', record, 'x', now_text)
end
if call('EXISTS', base .. 'hooks:' .. account) == 1 then return 'hooks' end
write_when_full() -- it frees memory, so it runs even where Redis is full

-- is_of_account reports whether a lane belongs to the account.
local function is_of_account(lane) return lane == owner_lane or call('ZSCORE', unhooked, lane) end

-- in_keys runs a command on any number of keys, in parts, as unpack returns some thousands at most.
local function in_keys(command, keys)
  for i = 1, #keys, 1000 do call(command, unpack(keys, i, math.min(i + 999, #keys))) end
end

-- erase removes all that is kept of a job in any lane, but not the job from the keys that list it.
local function erase(job, lane)
  local event = base .. 'event:' .. job
  local e = call('HMGET', event, 'a', 'i', 'l')
  left = left - 1
  if e[1] and e[1] ~= account and lane ~= owner_lane then return end
  local keys = { event, base .. 'body:' .. job }
  if lane then keys[3] = base .. 'job:' .. lane .. job end
  if e[2] then keys[#keys + 1] = base .. 'id:' .. e[1] .. ':' .. e[2] end
  for each in string.gmatch(e[3] or '', '%S+') do keys[#keys + 1] = base .. 'job:' .. each .. job end
  in_keys('UNLINK', keys)
  call('SREM', tasks, 'fanout:' .. job, 'expunge:' .. job)
  call('ZREM', base .. 'resent', job)
  left = left - #keys - 2
end

-- erase_members erases the jobs of a sorted set, and removes them from it. It returns how many.
local function erase_members(key, lane)
  local taken = 0
  while left > 0 do
    local jobs = call('ZRANGE', key, 0, 99)
    if #jobs == 0 then break end
    local done = {}
    for _, job in ipairs(jobs) do
      if left <= 0 then break end
      erase(job, lane)
      done[#done + 1] = job
    end
    call('ZREM', key, unpack(done))
    taken = taken + #done
  end
  return taken
end

-- erase_entries erases the jobs of a stream, and removes them from it.
local function erase_entries(key, lane)
  while left > 0 do
    local entries = call('XRANGE', key, '-', '+', 'COUNT', 100)
    if #entries == 0 then return end
    local done = {}
    for _, entry in ipairs(entries) do
      if left <= 0 then break end
      erase(entry[2][2], lane)
      done[#done + 1] = entry[1]
    end
    call('XDEL', key, unpack(done))
  end
end

-- erase_lane removes a lane, with all jobs that it lists.
local function erase_lane(lane)
  local conf = base .. 'conf:' .. lane
  call('UNLINK', base .. 'log:' .. lane)
  call('ZREM', base .. 'ready', lane)
  left = left - 2
  local waited = erase_members(base .. 'lane:' .. lane, lane)
  count_waiting(-waited)
  count_waiting_of({ [call('HGET', conf, 'a') or account] = -waited })
  for _, kind in ipairs({ 'dead:', 'late:', 'gone:' }) do erase_members(base .. kind .. lane, lane) end
  for _, kind in ipairs({ 'idx:', 'old:' }) do erase_entries(base .. kind .. lane, lane) end
  if left <= 0 then return end
  local key = call('HGET', conf, 'k')
  local keys = { conf }
  if key then keys[2] = base .. 'made:' .. account .. ':' .. key end
  for _, kind in ipairs({ 'idx:', 'old:', 'failed:', 'figures:w:', 'token:', 'tokenlock:' }) do keys[#keys + 1] = base .. kind .. lane end
  in_keys('UNLINK', keys)
  for _, where in ipairs({ 'ages', 'notices' }) do call('ZREM', base .. where, lane) end
  call('SREM', tasks, 'cancel:' .. lane)
  call('ZREM', unhooked, lane)
  left = left - #keys - 4
end

-- next_entries calls f with the next entries of a stream, from where the phase has come to. It returns whether there are more.
local PART = 100
local function next_entries(key, f)
  local entries = call('XRANGE', key, h[4] and '(' .. h[4] or '-', '+', 'COUNT', PART)
  f(entries)
  left = left - PART * 10
  if #entries < PART then return false end
  call('HSET', record, 'xc', entries[#entries][1])
  return true
end

-- withdraw removes notices that tell of the account's lanes from the operator's lane, as expunge.lua removes an event.
local function withdraw(entries)
  local taken, waited = {}, 0
  for _, entry in ipairs(entries) do
    local job = entry[2][2]
    local event = base .. 'event:' .. job
    local told_lane = call('HGET', event, 'w')
    if told_lane and is_of_account(told_lane) then
      call('HSET', event, 'z', '1')
      call('HDEL', event, 'y', 't', 'h', 's', 'w', 'l')
      call('UNLINK', base .. 'body:' .. job, base .. 'job:' .. operator_lane .. job)
      call('PEXPIRE', event, C.id_ttl)
      taken[job] = true
      waited = waited + call('ZREM', base .. 'lane:' .. operator_lane, job)
      for _, kind in ipairs({ 'dead:', 'late:', 'gone:' }) do call('ZREM', base .. kind .. operator_lane, job) end
    end
  end
  count_waiting(-waited)
  count_waiting_of({ [call('HGET', base .. 'conf:' .. operator_lane, 'a') or ''] = -waited })
  if not next(taken) then return end
  for _, entry in ipairs(call('LRANGE', base .. 'log:' .. operator_lane, 0, -1)) do
    if taken[string.sub(entry, 1, JOB)] then call('LREM', base .. 'log:' .. operator_lane, 1, entry) end
  end
end

-- Each phase is called until it returns that nothing is left of it.
local phases = {
  function() -- leases. Nothing is claimed afterwards: the lanes of webhooks are deleted already, and that of notices to the owner is from here on
    if call('EXISTS', base .. 'conf:' .. owner_lane) == 1 then call('HSET', base .. 'conf:' .. owner_lane, 'st', 'deleted') end
    call('ZREM', base .. 'ready', owner_lane)
    local members = {}
    for _, member in ipairs(call('ZRANGE', base .. 'leases', 0, -1)) do
      if is_of_account(string.match(member, '^(.-):')) then members[#members + 1] = member end
    end
    in_parts('ZREM', base .. 'leases', members)
  end,
  function() -- notices that are not published yet
    return next_entries(base .. 'outbox', function(entries)
      local ids = {}
      for _, entry in ipairs(entries) do
        for i = 1, #entry[2], 2 do
          if entry[2][i] == 'l' and is_of_account(entry[2][i + 1]) then ids[#ids + 1] = entry[1] end
        end
      end
      in_parts('XDEL', base .. 'outbox', ids)
    end)
  end,
  function() return next_entries(base .. 'idx:' .. operator_lane, withdraw) end,
  function() return next_entries(base .. 'old:' .. operator_lane, withdraw) end,
  function()
    erase_lane(owner_lane)
    while left > 0 do
      local lane = call('ZRANGE', unhooked, 0, 0)[1]
      if not lane then return false end
      erase_lane(lane)
    end
    return true
  end,
  function()
    erase_entries(base .. 'events:' .. account)
    erase_members(base .. 'again:' .. account)
    return left <= 0
  end,
  function()
    local replays = base .. 'replays:' .. account
    local ids = call('ZRANGE', replays, 0, 99)
    for _, id in ipairs(ids) do
      call('UNLINK', base .. 'replay:' .. id, base .. 'replay:' .. id .. ':left-out')
      call('SREM', tasks, 'replay:' .. id)
      call('ZREM', replays, id)
    end
    return #ids > 0
  end,
  function()
    local boxes = call('SRANDMEMBER', base .. 'boxes:' .. account, 100)
    for _, box in ipairs(boxes) do
      call('UNLINK', base .. 'mailbox:' .. box, base .. 'mailed:' .. box, base .. 'thread:' .. box)
      call('ZREM', base .. 'mails:' .. 'mail', box)
      call('SREM', base .. 'boxes:' .. account, box)
    end
    return #boxes > 0
  end,
}

local phase = tonumber(h[3]) or 1
while phases[phase] do
  if phases[phase]() then return 'more' end
  phase = phase + 1
  call('HSET', record, 'xp', phase)
  call('HDEL', record, 'xc')
  h[4] = nil
  if left <= 0 then return 'more' end
end
call('HDEL', base .. 'pending', account)
call('HDEL', base .. 'figures', account)
in_keys('UNLINK', { base .. 'figures:a:' .. account, base .. 'events:' .. account, base .. 'again:' .. account, unhooked })
call('ZREM', base .. 'accountlist', account)
call('DEL', record)
call('SREM', tasks, 'account:' .. account)
return 'done'

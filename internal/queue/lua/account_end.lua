-- account_end: takes all that an account has out of the store, some at a time. First its webhooks are to be deleted, as this needs their settings.
--
-- KEYS[1] the shard
-- ARGV[10] account, ARGV[11] "1" to begin, ARGV[12] lane of notices to its owner, ARGV[13] lane of notices to the operator, ARGV[14] most keys at once
-- Returns "more", "hooks" where webhooks are to be deleted first, "done", or "none" where there is no such account.
--
-- Safe to repeat: x in the account's record says since when it is being deleted, and from then on it takes nothing; xp is the phase that it is
-- in, and xc how far that is. The chore stays until all is done. The leases of its lanes go first, so that an attempt under way can't bring
-- anything back.

local account, begins, owners, operators, left = unpack(ARGV, 10, 14)
left = tonumber(left)
local record, unhooked, chores = base .. 'account:' .. account, base .. 'unhooked:' .. account, base .. 'chores'
local h = call('HMGET', record, 'c', 'x', 'xp', 'xc')
if not h[1] then
  call('SREM', chores, 'account:' .. account)
  return 'none'
end
if not h[2] then
  if begins ~= '1' then -- it began afresh
    call('SREM', chores, 'account:' .. account)
    return 'none'
  end
  call('SADD', chores, 'account:' .. account)
  call('HSET', record, 'x', now_text)
end
if call('EXISTS', base .. 'hooks:' .. account) == 1 then return 'hooks' end
write_when_full() -- it makes room, also where there is none

local function is_its(lane) return lane == owners or call('ZSCORE', unhooked, lane) end

-- in_keys runs a command with any number of keys.
local function in_keys(command, keys)
  for i = 1, #keys, 1000 do call(command, unpack(keys, i, math.min(i + 999, #keys))) end
end

-- erase takes out what is kept of a job, in all of its lanes, but for its place in these.
local function erase(job, lane)
  local event = base .. 'event:' .. job
  local e = call('HMGET', event, 'a', 'i', 'l')
  left = left - 1
  if e[1] and e[1] ~= account and lane ~= owners then return end
  local keys = { event, base .. 'body:' .. job }
  if lane then keys[3] = base .. 'job:' .. lane .. job end
  if e[2] then keys[#keys + 1] = base .. 'id:' .. e[1] .. ':' .. e[2] end
  for each in string.gmatch(e[3] or '', '%S+') do keys[#keys + 1] = base .. 'job:' .. each .. job end
  in_keys('UNLINK', keys)
  call('SREM', chores, 'fanout:' .. job, 'expunge:' .. job)
  call('ZREM', base .. 'resent', job)
  left = left - #keys - 2
end

-- erase_members does so with the jobs of a sorted set, and returns how many it took out of it.
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

-- erase_entries does so with the jobs of a stream.
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

-- erase_lane takes out a lane that nobody serves any more.
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
  call('SREM', chores, 'cancel:' .. lane)
  call('ZREM', unhooked, lane)
  left = left - #keys - 4
end

-- through calls f with the next entries of a stream, from where the phase has come to. It returns whether there are more.
local PART = 100
local function through(key, f)
  local entries = call('XRANGE', key, h[4] and '(' .. h[4] or '-', '+', 'COUNT', PART)
  f(entries)
  left = left - PART * 10
  if #entries < PART then return false end
  call('HSET', record, 'xc', entries[#entries][1])
  return true
end

-- withdraw takes what tells of the account's lanes out of the operator's, like expunge.lua.
local function withdraw(entries)
  local taken, waited = {}, 0
  for _, entry in ipairs(entries) do
    local job = entry[2][2]
    local event = base .. 'event:' .. job
    local of = call('HGET', event, 'w')
    if of and is_its(of) then
      call('HSET', event, 'z', '1')
      call('HDEL', event, 'y', 't', 'h', 's', 'w', 'l')
      call('UNLINK', base .. 'body:' .. job, base .. 'job:' .. operators .. job)
      call('PEXPIRE', event, C.id_ttl)
      taken[job] = true
      waited = waited + call('ZREM', base .. 'lane:' .. operators, job)
      for _, kind in ipairs({ 'dead:', 'late:', 'gone:' }) do call('ZREM', base .. kind .. operators, job) end
    end
  end
  count_waiting(-waited)
  count_waiting_of({ [call('HGET', base .. 'conf:' .. operators, 'a') or ''] = -waited })
  if not next(taken) then return end
  for _, line in ipairs(call('LRANGE', base .. 'log:' .. operators, 0, -1)) do
    if taken[string.sub(line, 1, JOB)] then call('LREM', base .. 'log:' .. operators, 1, line) end
  end
end

-- Each phase returns whether there is more of it to do.
local phases = {
  function() -- leases, after which nothing is claimed any more: the lanes of webhooks are deleted already, that of the owner is from here on
    if call('EXISTS', base .. 'conf:' .. owners) == 1 then call('HSET', base .. 'conf:' .. owners, 'st', 'deleted') end
    call('ZREM', base .. 'ready', owners)
    local members = {}
    for _, member in ipairs(call('ZRANGE', base .. 'leases', 0, -1)) do
      if is_its(string.match(member, '^(.-):')) then members[#members + 1] = member end
    end
    in_parts('ZREM', base .. 'leases', members)
  end,
  function() -- notices that are not published yet
    return through(base .. 'outbox', function(entries)
      local of_its = {}
      for _, entry in ipairs(entries) do
        for i = 1, #entry[2], 2 do
          if entry[2][i] == 'l' and is_its(entry[2][i + 1]) then of_its[#of_its + 1] = entry[1] end
        end
      end
      in_parts('XDEL', base .. 'outbox', of_its)
    end)
  end,
  function() return through(base .. 'idx:' .. operators, withdraw) end,
  function() return through(base .. 'old:' .. operators, withdraw) end,
  function()
    erase_lane(owners)
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
      call('SREM', chores, 'replay:' .. id)
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
call('SREM', chores, 'account:' .. account)
return 'done'

-- figures.lua: counts attempts over time. It stands between lib.lua and the scripts that count.
--
-- The attempts of the open minute are counted for each lane in its conf (q), and for each account and the shard ('*') in the hash figures, which
-- scripts write anyway, so an ordinary delivery costs no command of its own. Once a minute is over, the next attempt moves it to where it is kept:
--   figures:w:<lane>, figures:a:<account>, figures:all   string: the half hour and the three hours that are open, then the minutes, the half hours
--     and the three hours that are over, oldest first, each list after its length in bytes (3 bytes). It expires after a week.
--
-- A part holds the attempts of one such period. It is packed, most significant byte first, as its number (3 bytes: minutes, half hours or three hours
-- since 2020), succeeded and failed (4 each), the number of steps that follow (1), and for each step its number (1) and how many attempts took that long
-- (4). From step to step the duration grows by a third of a doubling: the first is below 1 ms, the last from 41 s on. A part that is over has, in place
-- of the steps, the durations within which half and 95 of 100 of its attempts ended, in ms (2 bytes each); that of the shard keeps its steps, as those of
-- all shards are added up. figures.go reads all this.

local FIRST_MINUTE = 26297280 -- 2020-01-01, a multiple of 180
local HALF, LONG = 30, 180 -- minutes
local KEPT_MINUTES, KEPT_HALVES, KEPT_LONGS = 60, 48, 56
local FIGURES_TTL = KEPT_LONGS * LONG * 60000
local FIRST_STEP = 48 -- the character that stands for the first step

local byte, char, floor = string.byte, string.char, math.floor

-- u2, u3 and u4 pack a number into so many bytes. They do so in one step, as Redis keeps and frees every text that is put together.
local function u2(n) return char(floor(n / 256) % 256, n % 256) end
local function u3(n) return char(floor(n / 65536) % 256, floor(n / 256) % 256, n % 256) end
local function u4(n) return char(floor(n / 16777216) % 256, floor(n / 65536) % 256, floor(n / 256) % 256, n % 256) end

-- three and four read a number from so many bytes.
local function three(a, b, c) return (a * 256 + b) * 256 + c end
local function four(a, b, c, d) return ((a * 256 + b) * 256 + c) * 256 + d end
-- number_at reads a number of three bytes at a place of a text, such as the number of a part.
local function number_at(text, at) return three(byte(text, at, at + 2)) end

local function new_part(number) return { number = number, ok = 0, failed = 0, steps = {} } end

local function pack_part(p)
  local parts, count = { '', '' }, 0
  for step, n in pairs(p.steps) do
    count = count + 1
    parts[count + 2] = char(step, floor(n / 16777216) % 256, floor(n / 65536) % 256, floor(n / 256) % 256, n % 256)
  end
  parts[1], parts[2] = u3(p.number) .. u4(p.ok) .. u4(p.failed), char(count)
  return table.concat(parts)
end

-- part_size returns the length of a packed part that begins at a place of a text.
local function part_size(text, at) return 12 + 5 * byte(text, at + 11) end

local function read_part(text, at)
  local n1, n2, n3, o1, o2, o3, o4, f1, f2, f3, f4, count = byte(text, at, at + 11)
  local steps = {}
  for i = at + 12, at + 7 + 5 * count, 5 do
    local step, a, b, c, d = byte(text, i, i + 4)
    steps[step] = four(a, b, c, d)
  end
  return { number = three(n1, n2, n3), ok = four(o1, o2, o3, o4), failed = four(f1, f2, f3, f4), steps = steps }
end

local function add_part(to, p)
  to.ok, to.failed = to.ok + p.ok, to.failed + p.failed
  for step, n in pairs(p.steps) do to.steps[step] = (to.steps[step] or 0) + n end
end

-- within returns the duration (ms) within which a share of a part's attempts ended. It takes those of one step as evenly spread.
local function within(p, share)
  local left, from = share * (p.ok + p.failed), 0
  for step = 0, 255 do
    local n, to = p.steps[step] or 0, 2 ^ (step / 3)
    if n > 0 and left <= n then return math.floor(from + (to - from) * left / n + 0.5) end
    left, from = left - n, to
  end
  return 0
end

-- end_part packs a part that is over, with its steps if whole.
local function end_part(p, whole)
  if whole then return pack_part(p) end
  return u3(p.number) .. u4(p.ok) .. u4(p.failed) .. u2(math.min(within(p, 0.5), 65535)) .. u2(math.min(within(p, 0.95), 65535))
end

-- only_from returns a list without the parts that have lower numbers. whole tells that its parts have steps.
local function only_from(list, number, whole)
  local at = 1
  while at < #list and number_at(list, at) < number do at = at + (whole and part_size(list, at) or 15) end
  return at > 1 and string.sub(list, at) or list
end

-- keep_minute adds a minute that is over to what is kept under key. whole tells that the parts there have steps.
local function keep_minute(key, p, whole)
  local text = call('GET', key)
  local half, long, minutes, halves, longs = nil, nil, '', '', ''
  if text then
    local at = 1
    half = read_part(text, at)
    at = at + part_size(text, at)
    long = read_part(text, at)
    at = at + part_size(text, at)
    local lists = {}
    for i = 1, 3 do
      local size = number_at(text, at)
      lists[i] = string.sub(text, at + 3, at + 2 + size)
      at = at + 3 + size
    end
    minutes, halves, longs = lists[1], lists[2], lists[3]
  end
  minutes = only_from(minutes .. end_part(p, whole), p.number - KEPT_MINUTES + 1, whole)
  local half_number, long_number = math.floor(p.number / HALF), math.floor(p.number / LONG)
  if half and half.number < half_number then
    halves = only_from(halves .. end_part(half, whole), half_number - KEPT_HALVES + 1, whole)
    half = nil
  end
  if long and long.number < long_number then
    longs = only_from(longs .. end_part(long, whole), long_number - KEPT_LONGS + 1, whole)
    long = nil
  end
  half, long = half or new_part(half_number), long or new_part(long_number)
  add_part(half, p)
  add_part(long, p)
  text = pack_part(half) .. pack_part(long)
  for _, list in ipairs({ minutes, halves, longs }) do text = text .. u3(#list) .. list end
  call('SET', key, text, 'PX', int(FIGURES_TTL))
end

-- counted adds attempts to the open minute, packed, and returns that. A minute that is over is kept under key first.
local function counted(open, attempts, key, whole)
  local minute = math.floor(now / 60000) - FIRST_MINUTE
  local p = open and read_part(open, 1)
  if p and p.number < minute then
    keep_minute(key, p, whole)
    p = nil
  end
  p = p or new_part(minute)
  add_part(p, attempts)
  return pack_part(p)
end

-- count_attempt adds an attempt to counts, which is a part or nil, and returns that. took is the character that says how long the attempt took.
local function count_attempt(counts, succeeded, took)
  local step = took - FIRST_STEP
  counts = counts or new_part(0)
  if succeeded then counts.ok = counts.ok + 1 else counts.failed = counts.failed + 1 end
  counts.steps[step] = (counts.steps[step] or 0) + 1
  return counts
end

-- drop_idle removes the open minutes of accounts that had no attempt for a week. It reads some at a time, and is called once a minute.
local function drop_idle()
  local figures = base .. 'figures'
  local scanned = call('HSCAN', figures, call('HGET', figures, '*c') or '0', 'COUNT', '20')
  local minute, idle = math.floor((now - FIGURES_TTL) / 60000) - FIRST_MINUTE, {}
  for i = 1, #scanned[2], 2 do
    local name = scanned[2][i]
    if name ~= '*c' and number_at(scanned[2][i + 1], 1) < minute then idle[#idle + 1] = name end
  end
  in_parts('HDEL', figures, idle) -- any number, as HSCAN returns the whole of a small hash
  call('HSET', figures, '*c', scanned[1])
end

-- count_accounts adds the attempts of each account to its own figures, and to the shard's.
local function count_accounts(accounts)
  local names, all = {}, new_part(0)
  for name, attempts in pairs(accounts) do
    names[#names + 1] = name
    add_part(all, attempts)
  end
  if #names == 0 then return end
  local figures = base .. 'figures'
  local open, set = call('HMGET', figures, '*', unpack(names)), {}
  local before = open[1] and number_at(open[1], 1)
  set[1], set[2] = '*', counted(open[1], all, base .. 'figures:all', true)
  for i, name in ipairs(names) do
    set[#set + 1] = name
    set[#set + 1] = counted(open[i + 1], accounts[name], base .. 'figures:a:' .. name, false)
  end
  call('HSET', figures, unpack(set))
  if before and before < number_at(set[2], 1) then drop_idle() end
end

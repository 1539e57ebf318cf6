-- keys.lua: what claims.lua and accept.lua have in common: taking the keys of one event. It is put in front of both.
--
-- A key holds the state of its event, "w" while it is in work and "d" once it is done, and then the value of the claim that
-- took it: a character for its mode, 11 of token, 8 of time, and the digest or nothing. The modes:
--   "s" signed ID, digest noted where it is free; "S" signed ID only; "u" ID and digest, both or neither;
--   "i" ID only; "d" digest only.
-- The key that an event does not have is never touched.

local DONE, SIGNED, SIGNED_ONLY, UNSIGNED, DIGEST = 100, 115, 83, 117, 100 -- "d", "s", "S", "u", "d"

-- take sets the key for us, or returns what it holds: nil where that is ours already, and then true.
local function take(key, held, px)
  if redis.call('SET', key, held, 'NX', 'PX', px) then
    return nil
  end
  local found = redis.call('GET', key)
  if found == held then
    return nil, true
  end
  return found
end

local function verdict(found)
  if string.byte(found) == DONE then
    return '2'
  end
  return '1'
end

-- outranks tells whether a signed ID takes the key that an unsigned one of another body holds: else whoever holds back one
-- signed request could send it under the ID of another event, and silence that.
local function outranks(held, found)
  local mode = string.byte(held, 2)
  return (mode == SIGNED or mode == SIGNED_ONLY) and string.byte(found, 2) == UNSIGNED
    and string.sub(found, 22) ~= string.sub(held, 22)
end

-- is_stripped tells whether what a key holds is of a claim without a signed ID, but with the body's digest: for a claim with
-- one and the same digest it is a copy of an event without its signed headers, which came before the real one.
local function is_stripped(found)
  local mode = string.byte(found, 2)
  return mode == UNSIGNED or mode == DIGEST
end

-- bind gives the copy without signed headers, where it is done, to the signed ID that came after it: it is that event. Another event
-- with the same body, under another signed ID, has no part in it.
local function bind(id, digest, found)
  if string.byte(found) == DONE then
    local bound = string.sub(found, 1, 1) .. 's' .. string.sub(found, 3)
    local left = redis.call('PTTL', digest)
    if left > 0 then
      redis.call('SET', digest, bound, 'PX', left)
      redis.call('SET', id, bound, 'PX', left)
    end
  end
  return verdict(found)
end

-- verdict_on returns the verdict over an event whose keys are not to be taken, nil where it is new.
local function verdict_on(id, digest, held)
  local mode = string.byte(held, 2)
  local found = mode ~= DIGEST and redis.call('GET', id)
  if found and not outranks(held, found) then
    return verdict(found)
  end
  local copy = (mode == SIGNED or mode == UNSIGNED or mode == DIGEST) and redis.call('GET', digest)
  if copy and mode ~= SIGNED then
    return verdict(copy)
  end
  if copy and is_stripped(copy) then
    return bind(id, digest, copy)
  end
  return nil
end

-- take_keys takes the keys of an event for px ms, to hold what is in held.
-- Returns "0" taken, "1" in work elsewhere, "2" done before; and true where the key that names the event was ours already.
local function take_keys(id, digest, held, px)
  local mode = string.byte(held, 2)
  if mode == DIGEST then
    local found, again = take(digest, held, px)
    return found and verdict(found) or '0', again
  end
  local found, again = take(id, held, px)
  if found and outranks(held, found) then
    redis.call('SET', id, held, 'PX', px)
    found = nil
  end
  if found then
    if mode == SIGNED and is_stripped(found) and redis.call('GET', digest) == found then
      return bind(id, digest, found)
    end
    if verdict(found) == '1' and mode == UNSIGNED then
      -- A body that was finished is a duplicate even where its ID is in work again.
      local other = redis.call('GET', digest)
      if other then
        return verdict(other)
      end
    end
    return verdict(found)
  end
  if mode == SIGNED then
    local copy = take(digest, held, px)
    if copy and is_stripped(copy) and not again then
      redis.call('DEL', id)
      return bind(id, digest, copy)
    end
  elseif mode == UNSIGNED then
    local other = take(digest, held, px)
    if other then
      redis.call('DEL', id)
      return verdict(other)
    end
  end
  return '0', again
end

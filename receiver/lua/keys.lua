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

-- take_keys takes the keys of an event for px ms, to hold what is in held.
-- Returns "0" taken, "1" in work elsewhere, "2" done before; and true where the key that names the event was ours already.
local function take_keys(id, digest, held, px)
  local mode = string.byte(held, 2)
  if mode == DIGEST then
    local found, again = take(digest, held, px)
    return found and verdict(found) or '0', again
  end
  local found, again = take(id, held, px)
  -- A signed ID takes the key that an unsigned one of another body holds: else whoever holds back one signed
  -- request could send it under the ID of another event, and silence that.
  if found and (mode == SIGNED or mode == SIGNED_ONLY) and string.byte(found, 2) == UNSIGNED
      and string.sub(found, 22) ~= string.sub(held, 22) then
    redis.call('SET', id, held, 'PX', px)
    found = nil
  end
  if found then
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
    redis.call('SET', digest, held, 'NX', 'PX', px)
  elseif mode == UNSIGNED then
    local other = take(digest, held, px)
    if other then
      redis.call('DEL', id)
      return verdict(other)
    end
  end
  return '0', again
end

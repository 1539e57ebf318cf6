-- keys.lua: takes the keys of one event. It stands in front of claims.lua and accept.lua.
--
-- A key holds the state of its event, "w" while it is in work and "d" once it is done, and behind it the value of the claim that took the key:
-- a character for the mode, 11 of a token, 8 of the time, and the digest or nothing. Which keys an event has is its mode:
--   "s" a signed ID, and a digest, whose key is taken only where it is free; "S" a signed ID only; "u" an unsigned ID and a digest, of which
--   both are taken or neither; "i" an unsigned ID only; "d" a digest only.
-- A key that an event does not have is never touched.

local DONE, SIGNED, SIGNED_ONLY, UNSIGNED, DIGEST = 100, 115, 83, 117, 100 -- "d", "s", "S", "u", "d"

-- take writes held to the key where that is free. It returns what another claim has written there, or nil where the key is ours; and true where
-- it was ours already.
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

-- verdict is the answer to a claim whose key another one holds.
local function verdict(found)
  if string.byte(found) == DONE then
    return '2'
  end
  return '1'
end

-- outranks reports whether a claim with a signed ID takes a key from one with an unsigned ID and another body. Otherwise somebody who holds back a
-- signed request could send it with the ID of another event, unsigned, and that event would pass for a duplicate.
local function outranks(held, found)
  local mode = string.byte(held, 2)
  return (mode == SIGNED or mode == SIGNED_ONLY) and string.byte(found, 2) == UNSIGNED
    and string.sub(found, 22) ~= string.sub(held, 22)
end

-- is_stripped reports whether a key is held by a claim with the body's digest and without a signed ID. For a claim with a signed ID and the same
-- digest, that one is a copy of the same event, without the signed headers, which came first.
local function is_stripped(found)
  local mode = string.byte(found, 2)
  return mode == UNSIGNED or mode == DIGEST
end

-- bind writes to both keys that the copy without signed headers, found under the digest, was the event with the signed ID, if that copy is done.
-- So another event with the same body and another signed ID is no duplicate of it.
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

-- verdict_on returns the answer to a claim without taking keys, nil where the event is new.
local function verdict_on(id, digest, held)
  local mode = string.byte(held, 2)
  local found = mode ~= DIGEST and redis.call('GET', id)
  if found and not outranks(held, found) then
    return verdict(found)
  end
  local digest_holder = (mode == SIGNED or mode == UNSIGNED or mode == DIGEST) and redis.call('GET', digest)
  if digest_holder and mode ~= SIGNED then
    return verdict(digest_holder)
  end
  if digest_holder and is_stripped(digest_holder) then
    return bind(id, digest, digest_holder)
  end
  return nil
end

-- take_keys claims an event: its keys are to hold held for px ms. It returns "0" where they are ours, "1" where the event is in work elsewhere, or
-- "2" where it was done before; and true where the key that the event goes by was ours already.
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
      -- A body that was done is a duplicate even where its ID is in work again.
      local digest_holder = redis.call('GET', digest)
      if digest_holder then
        return verdict(digest_holder)
      end
    end
    return verdict(found)
  end
  if mode == SIGNED then
    local digest_holder = take(digest, held, px)
    if digest_holder and is_stripped(digest_holder) and not again then
      redis.call('DEL', id)
      return bind(id, digest, digest_holder)
    end
  elseif mode == UNSIGNED then
    local digest_holder = take(digest, held, px)
    if digest_holder then
      redis.call('DEL', id)
      return verdict(digest_holder)
    end
  end
  return '0', again
end

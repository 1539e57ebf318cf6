-- keys.lua: what claim.lua and accept.lua have in common: taking the keys of one event. It is put in front of both.

-- take sets the key for us, or returns what it holds.
local function take(key, held, px)
  if redis.call('SET', key, held, 'NX', 'PX', px) then
    return nil
  end
  local found = redis.call('GET', key)
  if found == held then
    return nil
  end
  return found
end

local function verdict(found)
  if string.byte(found) == 100 then -- d
    return '2'
  end
  return '1'
end

-- take_keys takes the keys of the event whose claim has the value v, in the state "w" (in work) or "d" (done), for px ms.
-- Returns "0" taken, "1" in work elsewhere, "2" done before.
local function take_keys(id, digest, v, state, px)
  local mode, held = string.sub(v, 1, 1), state .. v
  if mode == 'd' then
    local found = take(digest, held, px)
    return found and verdict(found) or '0'
  end
  local found = take(id, held, px)
  -- A signed ID takes the key that an unsigned one of another body holds: else whoever holds back one signed
  -- request could send it under the ID of another event, and silence that.
  if found and (mode == 's' or mode == 'S') and string.sub(found, 2, 2) == 'u'
      and string.sub(found, 22) ~= string.sub(v, 21) then
    redis.call('SET', id, held, 'PX', px)
    found = nil
  end
  if found then
    if verdict(found) == '1' and mode == 'u' then
      -- A body that was finished is a duplicate even where its ID is in work again.
      local other = redis.call('GET', digest)
      if other then
        return verdict(other)
      end
    end
    return verdict(found)
  end
  if mode == 's' then
    redis.call('SET', digest, held, 'NX', 'PX', px)
  elseif mode == 'u' then
    local other = take(digest, held, px)
    if other then
      redis.call('DEL', id)
      return verdict(other)
    end
  end
  return '0'
end

-- claim.lua: takes the keys of events for a lease.
--
-- KEYS: two for each event: that of its ID and that of its digest. Where it has only one, the other is never
--       touched.
-- ARGV: two for each event: the claim's value v and the lease in milliseconds. v starts with the mode:
--       "s" signed ID, digest noted where it is free; "S" signed ID only; "u" ID and digest, both or neither;
--       "i" ID only; "d" digest only. Then come 11 characters of token, 8 of time, and the digest or nothing.
-- Returns one character for each event: "0" claimed, "1" in work elsewhere, "2" done before.
--
-- A key holds "w" .. v while the event is in work, with the lease as its expiry, and "d" .. v once it is done.
-- Repeating a claim finds its own value and answers "0" again.

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

local answers = {}
for i = 1, #ARGV, 2 do
  local id, digest, v, px = KEYS[i], KEYS[i + 1], ARGV[i], ARGV[i + 1]
  local mode, held, answer = string.sub(v, 1, 1), 'w' .. v, '0'
  if mode == 'd' then
    local found = take(digest, held, px)
    if found then
      answer = verdict(found)
    end
  else
    local found = take(id, held, px)
    -- A signed ID takes the key that an unsigned one of another body holds: else whoever holds back one signed
    -- request could send it under the ID of another event, and silence that.
    if found and (mode == 's' or mode == 'S') and string.sub(found, 2, 2) == 'u'
        and string.sub(found, 22) ~= string.sub(v, 21) then
      redis.call('SET', id, held, 'PX', px)
      found = nil
    end
    if found then
      answer = verdict(found)
      if answer == '1' and mode == 'u' then
        -- A body that was finished is a duplicate even where its ID is in work again.
        local other = redis.call('GET', digest)
        if other then
          answer = verdict(other)
        end
      end
    elseif mode == 's' then
      redis.call('SET', digest, held, 'NX', 'PX', px)
    elseif mode == 'u' then
      local other = take(digest, held, px)
      if other then
        redis.call('DEL', id)
        answer = verdict(other)
      end
    end
  end
  answers[#answers + 1] = answer
end
return table.concat(answers)

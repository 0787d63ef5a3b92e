-- Reads items in the order of their ids' bytes. KEYS[1]: the table. ARGV: 'up' or 'down', the lowest and the highest id as ZRANGEBYLEX takes them, and the most items.
-- Returns of each its id, the item as JSON and its version. An id whose item has expired is taken away.
local items, ids = KEYS[1] .. ':item:', KEYS[1] .. ':ids'
local low, high, most = ARGV[2], ARGV[3], tonumber(ARGV[4])
local found = {}
while #found < most do
  local left, page = most - #found, nil
  if ARGV[1] == 'up' then
    page = redis.call('ZRANGEBYLEX', ids, low, high, 'LIMIT', 0, left)
  else
    page = redis.call('ZREVRANGEBYLEX', ids, high, low, 'LIMIT', 0, left)
  end
  for _, id in ipairs(page) do
    local stored = redis.call('HMGET', items .. id, 'item', 'version')
    if stored[1] then
      found[#found + 1] = { id, stored[1], stored[2] }
    else
      redis.call('ZREM', ids, id)
    end
  end
  if #page < left then
    break
  end
  if ARGV[1] == 'up' then
    low = '(' .. page[#page]
  else
    high = '(' .. page[#page]
  end
end
return found

-- Writes all or nothing. KEYS[1]: the table. ARGV: of each write its item's id, its condition ('always', 'absent', or the version with a '=' before it), the item as JSON ('' to
-- delete it), and when it expires in seconds since 1970 ('' for never).
-- A table's other keys begin with its own: `:item:<id>` is an item, which Redis lets expire by itself, and `:ids` all ids in the order of their bytes.
-- Returns 'done' and a version for each write ('' for a delete), or what does not hold, 'exists' or 'changed', and of which write.
local items, ids = KEYS[1] .. ':item:', KEYS[1] .. ':ids'
for i = 1, #ARGV, 4 do
  local condition = ARGV[i + 1]
  if condition ~= 'always' then
    local version = redis.call('HGET', items .. ARGV[i], 'version')
    local index = string.format('%d', (i - 1) / 4)
    if condition == 'absent' and version then
      return { 'exists', index }
    elseif condition ~= 'absent' and (not version or condition ~= '=' .. version) then
      return { 'changed', index }
    end
  end
end
local done = { 'done' }
for i = 1, #ARGV, 4 do
  local key, version = items .. ARGV[i], ''
  redis.call('DEL', key)
  if ARGV[i + 2] == '' then
    redis.call('ZREM', ids, ARGV[i])
  else
    version = string.format('%d', redis.call('HINCRBY', KEYS[1], 'writes', 1))
    redis.call('HSET', key, 'item', ARGV[i + 2], 'version', version)
    redis.call('ZADD', ids, 0, ARGV[i])
    if ARGV[i + 3] ~= '' then
      redis.call('EXPIREAT', key, ARGV[i + 3])
    end
  end
  done[#done + 1] = version
end
return done

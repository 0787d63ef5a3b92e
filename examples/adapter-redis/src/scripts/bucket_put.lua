-- Writes an object. KEYS[1]: the bucket. ARGV: the object's key, the condition ('always', 'absent', or the etag with a '=' before it), its attributes, and its content: 'bytes' and
-- the bytes, or 'parts', the upload's id and how many parts it has.
-- A bucket's other keys begin with its own: `:object:<key>` is what is known of an object, `:data:<key>` its bytes, `:keys` all keys in the order of their bytes, and
-- `:upload:<id>:<number>` a part of an upload.
-- Returns 'done' and the etag, or what does not hold: 'exists', 'changed', or 'lost' for an upload whose parts are not there any more.
local bucket, key, condition = KEYS[1], ARGV[1], ARGV[2]
local object, data = bucket .. ':object:' .. key, bucket .. ':data:' .. key
if condition ~= 'always' then
  local etag = redis.call('HGET', object, 'etag')
  if condition == 'absent' and etag then
    return { 'exists' }
  elseif condition ~= 'absent' and (not etag or condition ~= '=' .. etag) then
    return { 'changed' }
  end
end
if ARGV[4] == 'bytes' then
  redis.call('SET', data, ARGV[5])
else
  local part = bucket .. ':upload:' .. ARGV[5] .. ':'
  for i = 1, tonumber(ARGV[6]) do
    if redis.call('EXISTS', part .. i) == 0 then
      return { 'lost' }
    end
  end
  redis.call('SET', data, '')
  for i = 1, tonumber(ARGV[6]) do
    redis.call('APPEND', data, redis.call('GET', part .. i))
    redis.call('DEL', part .. i)
  end
end
local time = redis.call('TIME')
local etag = string.format('%d', redis.call('HINCRBY', bucket, 'writes', 1))
redis.call('HSET', object, 'etag', etag, 'modified', time[1] * 1000 + math.floor(time[2] / 1000),
  'size', redis.call('STRLEN', data), 'head', ARGV[3])
redis.call('ZADD', bucket .. ':keys', 0, key)
return { 'done', etag }

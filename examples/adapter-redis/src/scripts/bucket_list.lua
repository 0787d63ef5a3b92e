-- Lists objects in the order of their keys' bytes. KEYS[1]: the bucket. ARGV: the lowest and the highest key as ZRANGEBYLEX takes them, and the most objects.
-- Returns of each its key, etag, moment of the last write and size.
local listed = {}
for i, key in ipairs(redis.call('ZRANGEBYLEX', KEYS[1] .. ':keys', ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do
  local told = redis.call('HMGET', KEYS[1] .. ':object:' .. key, 'etag', 'modified', 'size')
  listed[i] = { key, told[1], told[2], told[3] }
end
return listed

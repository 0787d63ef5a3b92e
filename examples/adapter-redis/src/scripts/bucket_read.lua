-- Reads bytes of an object as long as it is the same. KEYS[1]: the bucket. ARGV: the object's key, its etag, and the first and the last byte.
-- Returns the bytes, or nothing if the object is another by now.
if redis.call('HGET', KEYS[1] .. ':object:' .. ARGV[1], 'etag') ~= ARGV[2] then
  return false
end
return redis.call('GETRANGE', KEYS[1] .. ':data:' .. ARGV[1], ARGV[3], ARGV[4])

-- Copies an object within its bucket. KEYS[1]: the bucket. ARGV: the key of the source, that of the copy, and the condition ('always' or 'absent').
-- Returns 'done', or what does not hold: 'missing' or 'exists'.
local bucket, from, to = KEYS[1], ARGV[1], ARGV[2]
local told = redis.call('HMGET', bucket .. ':object:' .. from, 'etag', 'size', 'head')
local object = bucket .. ':object:' .. to
if not told[1] then
  return 'missing'
elseif ARGV[3] == 'absent' and redis.call('EXISTS', object) == 1 then
  return 'exists'
end
if from ~= to then
  redis.call('COPY', bucket .. ':data:' .. from, bucket .. ':data:' .. to, 'REPLACE')
end
local time = redis.call('TIME')
redis.call('HSET', object, 'etag', string.format('%d', redis.call('HINCRBY', bucket, 'writes', 1)),
  'modified', time[1] * 1000 + math.floor(time[2] / 1000), 'size', told[2], 'head', told[3])
redis.call('ZADD', bucket .. ':keys', 0, to)
return 'done'

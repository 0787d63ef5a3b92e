-- Deletes messages for good. KEYS[1]: the queue. ARGV: of each message its id and the attempt whose lease is given up.
-- The next message of a group is due when the one before it is gone.
local queue = KEYS[1]
if redis.call('EXISTS', queue) == 0 then
  return redis.error_reply('NOTFOUND no such queue')
end
local stale = false
for i = 1, #ARGV, 2 do
  local id = ARGV[i]
  local message = queue .. ':message:' .. id
  local told = redis.call('HMGET', message, 'attempts', 'group')
  if told[1] == ARGV[i + 1] then
    redis.call('ZREM', queue .. ':ready', id)
    redis.call('ZREM', queue .. ':leased', id)
    redis.call('DEL', message)
    if told[2] ~= '' then
      local following = redis.call('LPOP', queue .. ':group:' .. told[2])
      if following then
        local due = redis.call('HGET', queue .. ':message:' .. following, 'due')
        redis.call('HINCRBY', queue, 'behind', -1)
        redis.call('HSET', queue .. ':heads', told[2], following)
        redis.call('ZADD', queue .. ':ready', due, following)
      else
        redis.call('HDEL', queue .. ':heads', told[2])
      end
    end
  elseif told[1] then
    stale = true
  end
end
if stale then
  return redis.error_reply('STALE another receiver has the message')
end
return 1

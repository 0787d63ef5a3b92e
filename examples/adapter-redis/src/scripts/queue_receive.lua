-- Leases messages. KEYS[1]: the queue. ARGV: the most messages, and the lease in milliseconds.
-- Returns the messages, each as id, attempt, moment of sending, head, body and group; and in how many milliseconds the next one may be due, -1 if none is there.
local queue = KEYS[1]
if redis.call('EXISTS', queue) == 0 then
  return redis.error_reply('NOTFOUND no such queue')
end
local ready, leased = queue .. ':ready', queue .. ':leased'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ended = redis.call('ZRANGEBYSCORE', leased, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1000)
for i = 1, #ended, 2 do
  redis.call('ZREM', leased, ended[i])
  redis.call('ZADD', ready, ended[i + 1], ended[i])
end
local received = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', ready, '-inf', now, 'LIMIT', 0, ARGV[1])) do
  local message = queue .. ':message:' .. id
  redis.call('ZREM', ready, id)
  redis.call('ZADD', leased, now + ARGV[2], id)
  local attempt = redis.call('HINCRBY', message, 'attempts', 1)
  local told = redis.call('HMGET', message, 'sent', 'head', 'body', 'group')
  received[#received + 1] = { id, attempt, told[1], told[2], told[3], told[4] }
end
local wait = -1
for _, key in ipairs({ ready, leased }) do
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  if first[2] then
    local until_then = math.max(tonumber(first[2]) - now, 0)
    if wait < 0 or until_then < wait then
      wait = until_then
    end
  end
end
return { received, wait }

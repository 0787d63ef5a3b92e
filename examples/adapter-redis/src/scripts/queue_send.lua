-- Adds messages. KEYS[1]: the queue. ARGV: of each message its head, body, group ('' for none) and delay in milliseconds.
-- A queue's other keys begin with its own: `:message:<id>` is a message, `:ready` and `:leased` are the ids by the moment when they are due, `:heads` is the message that each
-- group has in one of the two, and `:group:<name>` the ids behind it.
local queue = KEYS[1]
if redis.call('EXISTS', queue) == 0 then
  return redis.error_reply('NOTFOUND no such queue')
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ids = {}
for i = 1, #ARGV, 4 do
  local id = string.format('%016d', redis.call('HINCRBY', queue, 'sent', 1))
  local group, due = ARGV[i + 2], now + ARGV[i + 3]
  redis.call('HSET', queue .. ':message:' .. id, 'head', ARGV[i], 'body', ARGV[i + 1], 'group', group,
    'due', due, 'sent', now, 'attempts', 0)
  if group == '' or redis.call('HSETNX', queue .. ':heads', group, id) == 1 then
    redis.call('ZADD', queue .. ':ready', due, id)
  else
    redis.call('RPUSH', queue .. ':group:' .. group, id)
    redis.call('HINCRBY', queue, 'behind', 1)
  end
  ids[#ids + 1] = id
end
return ids

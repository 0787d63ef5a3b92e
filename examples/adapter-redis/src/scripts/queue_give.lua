-- Gives a message back, or starts its lease anew. KEYS[1]: the queue. ARGV: the message's id, the attempt whose lease it is, 'ready' or 'leased', and for how many milliseconds
-- it is hidden. One that is gone cannot be leased again; giving it back is nothing to do.
local queue, id = KEYS[1], ARGV[1]
if redis.call('EXISTS', queue) == 0 then
  return redis.error_reply('NOTFOUND no such queue')
end
local attempts = redis.call('HGET', queue .. ':message:' .. id, 'attempts')
if not attempts and ARGV[3] == 'ready' then
  return 0
end
if attempts ~= ARGV[2] then
  return redis.error_reply('STALE another receiver has the message, or had it')
end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
redis.call('ZREM', queue .. ':ready', id)
redis.call('ZREM', queue .. ':leased', id)
redis.call('ZADD', queue .. ':' .. ARGV[3], due, id)
return 1

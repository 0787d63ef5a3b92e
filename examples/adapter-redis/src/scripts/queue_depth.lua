-- Counts messages. KEYS[1]: the queue. Returns those that are ready or wait behind another of their group, those that are leased, and those that are due later.
local queue = KEYS[1]
if redis.call('EXISTS', queue) == 0 then
  return redis.error_reply('NOTFOUND no such queue')
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local later = string.format('(%d', now)
local ready, leased = queue .. ':ready', queue .. ':leased'
local behind = tonumber(redis.call('HGET', queue, 'behind') or 0)
-- A lease that has run out is one no more, although nobody has looked yet.
local visible = redis.call('ZCOUNT', ready, '-inf', now) + redis.call('ZCOUNT', leased, '-inf', now) + behind
return { visible, redis.call('ZCOUNT', leased, later, '+inf'), redis.call('ZCOUNT', ready, later, '+inf') }

-- Puts rows, and numbers each. Numbers go on with the clock, so that they grow even after a failover
-- that lost the last of them.
--
-- KEYS: rows, order, changes, ends, number. ARGV: key, value and end of each row; an end of '' never comes.

local number = tonumber(redis.call('GET', KEYS[5]) or '0')
local time = redis.call('TIME')
number = math.max(number, time[1] * 1000000 + time[2])
for i = 1, #ARGV, 3 do
  local key = ARGV[i]
  number = number + 1
  redis.call('HSET', KEYS[1], key, ARGV[i + 1])
  redis.call('ZADD', KEYS[2], 0, key)
  redis.call('ZADD', KEYS[3], string.format('%.0f', number), key)
  if ARGV[i + 2] == '' then
    redis.call('ZREM', KEYS[4], key)
  else
    redis.call('ZADD', KEYS[4], ARGV[i + 2], key)
  end
end
redis.call('SET', KEYS[5], string.format('%.0f', number))
return 1

-- Forgets rows that have ended; how many.
--
-- KEYS: rows, order, changes, ends, number. ARGV: 1 now, 2 how many at most.

local keys = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, key in ipairs(keys) do
  redis.call('HDEL', KEYS[1], key)
  for i = 2, 4 do
    redis.call('ZREM', KEYS[i], key)
  end
end
return #keys

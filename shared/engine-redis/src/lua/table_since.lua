-- Rows with numbers above one, in their order: number, key and value of each.
--
-- KEYS: rows, order, changes, ends, number. ARGV: 1 number, 2 how many.

local found = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local rows = {}
for i = 1, #found, 2 do
  rows[#rows + 1] = string.format('%.0f', found[i + 1])
  rows[#rows + 1] = found[i]
  rows[#rows + 1] = redis.call('HGET', KEYS[1], found[i])
end
return rows

-- Forgets what was told.
--
-- KEYS: events, who tells. ARGV: 1 gateway, 2 first generation that was not told. Returns how many events wait.

redis.call('XTRIM', KEYS[1], 'MINID', ARGV[2] .. '-0')
local waiting = redis.call('XLEN', KEYS[1])
if waiting == 0 and redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
end
return waiting

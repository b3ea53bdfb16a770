-- Says what has to be the same for everybody, for a while.
--
-- KEYS: the agreement. ARGV: 1 settings, 2 seconds. Returns other settings that others have; '' if there are none.

local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] then
  return found
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return ''

-- The oldest events, for the one gateway that tells them now.
--
-- KEYS: events, who tells. ARGV: 1 gateway, 2 how long it has for it, 3 events at most.
-- Returns how many wait, how long another gateway may take for them, and entries.

local waiting = redis.call('XLEN', KEYS[1])
if waiting == 0 then
  return { 0, 0, {} }
end
local teller = redis.call('GET', KEYS[2])
if teller and teller ~= ARGV[1] then
  return { waiting, redis.call('PTTL', KEYS[2]), {} }
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return { waiting, 0, redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[3]) }

-- Sends what is not kept: a publication without history, a join, a leave.
--
-- KEYS: header, and the idempotency key if there is one.
-- ARGV: 1 command, 2 bus channel, 3 number of the bus channel, 4 letter of what it is, 5 channel,
--       6 entry, 7 idempotency ttl
-- Returns outcome, position and number, as publish does; the position is ''.

local known = KEYS[2]
if known then
  local first = redis.call('GET', known)
  if first then
    return { 1, first, '0' }
  end
end
local number = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'q' .. ARGV[3], 1))
local head = ARGV[4] .. number .. ':0::' .. #ARGV[5] .. ':0:'
redis.call(ARGV[1], ARGV[2], head .. ARGV[5] .. ARGV[6])
if known then
  redis.call('SET', known, '', 'PX', ARGV[7])
end
return { 0, '', number }

-- Removes what is kept of a channel, and tells those who keep a copy.
--
-- KEYS: header, stream. ARGV: 1 command, 2 bus channel, 3 number of the bus channel, 4 letter, 5 channel
-- Returns number on the bus.

redis.call('UNLINK', KEYS[2])
local number = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'q' .. ARGV[3], 1))
redis.call(ARGV[1], ARGV[2], ARGV[4] .. number .. ':0::' .. #ARGV[5] .. ':0:' .. ARGV[5])
return number

-- Takes permits of a rate that all processes share. At most 50 ms' worth at once, at least one.
--
-- KEYS: meters. ARGV: 1 name, 2 permits a second, 3 permits wanted. The value of a meter is when what
-- was granted is paid for, in microseconds.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local price = 1000000 / ARGV[2]
local burst = math.max(50000, price)
local from = math.max(tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0), now)
local affordable = math.max(math.floor((now + burst - from) / price), 0)
local granted = math.min(tonumber(ARGV[3]), affordable)
local paid = from + granted * price
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.3f', paid))
redis.call('PEXPIRE', KEYS[1], 3600000)
return { granted, math.max(math.ceil(paid + price - now - burst), 0) }

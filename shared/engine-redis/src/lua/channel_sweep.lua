-- Gives up claims of a gateway whose lease is over.
--
-- KEYS: counts, claims, leases, events. ARGV: 1 gateway, 2 claims at once, 3 when.
-- Returns 1 if there are more, and how many events wait.

local lease_end = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not lease_end or tonumber(lease_end) > now_us() / 1000 then
  return { 0, redis.call('XLEN', KEYS[4]) }
end
redis.call('HDEL', KEYS[2], '')
local channels = redis.call('HRANDFIELD', KEYS[2], ARGV[2]) or {}
for _, channel in ipairs(channels) do
  vacated(KEYS[1], KEYS[2], KEYS[4], channel, ARGV[3])
end
if redis.call('HLEN', KEYS[2]) > 0 then
  return { 1, redis.call('XLEN', KEYS[4]) }
end
redis.call('ZREM', KEYS[3], ARGV[1])
return { 0, redis.call('XLEN', KEYS[4]) }

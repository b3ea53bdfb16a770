-- Renews the lease of a gateway's members in a partition, and forgets leases that ran out.
--
-- KEYS: leases. ARGV: 1 gateway, 2 lease.
-- Returns 1 if the lease was valid until now; 0 if members may have been forgotten.

local now = now_ms()
local until_ms = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
if until_ms and tonumber(until_ms) > now then
  return 1
end
return 0

-- Takes a gateway out.
--
-- KEYS: entries, leases. ARGV: 1 id.

redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1

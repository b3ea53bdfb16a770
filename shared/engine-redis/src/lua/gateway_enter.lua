-- Enters a gateway or renews its entry.
--
-- KEYS: entries, leases. ARGV: 1 id, 2 entry, 3 lease.

redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], string.format('%.0f', now_ms() + ARGV[3]), ARGV[1])
return 1

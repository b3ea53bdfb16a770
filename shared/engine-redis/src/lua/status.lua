-- Sets fields of a user's status and keeps it for a while.
--
-- KEYS: status. ARGV: 1 ttl, then fields and values.

for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1

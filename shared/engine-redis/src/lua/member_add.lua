-- Adds a member or replaces it.
--
-- KEYS: members, users, leases. ARGV: 1 client, 2 value, 3 ttl of the keys, 4 lease.

local owner, gateway = owner_of(ARGV[2])
local before = redis.call('HGET', KEYS[1], ARGV[1])
local owner_before = before and owner_of(before)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if owner_before ~= owner then
  redis.call('HINCRBY', KEYS[2], owner, 1)
  if owner_before then
    uncount(KEYS[2], owner_before)
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[3], string.format('%.0f', now_ms() + ARGV[4]), gateway)
return 1

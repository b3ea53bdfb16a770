-- Removes a member.
--
-- KEYS: members, users. ARGV: 1 client.

local before = redis.call('HGET', KEYS[1], ARGV[1])
if before then
  redis.call('HDEL', KEYS[1], ARGV[1])
  uncount(KEYS[2], (owner_of(before)))
end
return 1

-- Every gateway whose lease is valid: ids and entries. Forgets the others.
--
-- KEYS: entries, leases.

local now = string.format('%.0f', now_ms())
local gone = redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE')
for _, id in ipairs(gone) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
return redis.call('HGETALL', KEYS[1])

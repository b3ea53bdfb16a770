-- Takes what a gateway saw.
--
-- KEYS: counts, claims, leases, events.
-- ARGV: 1 lineage, 2 gateway, 3 lease, 4 lineage that the gateway has written its claims under, '' for none,
--       '*' if this makes them complete, '+' if more follows; then '+channel' or '-channel', and when.
-- Returns 1 and how many events wait; 0 if the claims are not what the gateway takes them for.

local expected = ARGV[4]
if expected ~= '*' and expected ~= '+' then
  local known = redis.call('HGET', KEYS[2], '') or ''
  if known ~= expected or (known ~= '' and known ~= ARGV[1]) then
    return { 0, 0 }
  end
end
for i = 5, #ARGV, 2 do
  local change = string.sub(ARGV[i], 1, 1) == '+' and occupied or vacated
  change(KEYS[1], KEYS[2], KEYS[4], string.sub(ARGV[i], 2), ARGV[i + 1])
end
if expected ~= '+' then
  redis.call('HSET', KEYS[2], '', ARGV[1])
end
lease(KEYS[3], ARGV[2], ARGV[3])
return { 1, redis.call('XLEN', KEYS[4]) }

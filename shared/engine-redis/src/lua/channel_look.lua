-- Renews a gateway's lease, if it has claims, and looks for what is to be done.
--
-- KEYS: claims, leases, events.
-- ARGV: 1 lineage, 2 gateway, 3 lease, 4 lineage that the gateway has written its claims under, '' for none
-- Returns 0 if its claims are not what it takes them for, how many events wait, and gateways whose lease is over.

local is_whole = 1
if ARGV[4] ~= '' then
  if ARGV[4] ~= ARGV[1] or redis.call('HGET', KEYS[1], '') ~= ARGV[4] then
    is_whole = 0
  end
  lease(KEYS[2], ARGV[2], ARGV[3])
end
local over = redis.call('ZRANGE', KEYS[2], '-inf', digits(now_us() / 1000), 'BYSCORE', 'LIMIT', 0, 16)
return { is_whole, redis.call('XLEN', KEYS[3]), over }

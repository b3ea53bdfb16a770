-- Who is in a channel: clients and their values. Forgets those of gateways that are gone.
--
-- KEYS: members, users, leases.

local alive = living(KEYS[3])
local all = redis.call('HGETALL', KEYS[1])
local found = {}
for i = 1, #all, 2 do
  local owner, gateway = owner_of(all[i + 1])
  if alive[gateway] then
    found[#found + 1] = all[i]
    found[#found + 1] = all[i + 1]
  else
    redis.call('HDEL', KEYS[1], all[i])
    uncount(KEYS[2], owner)
  end
end
return found

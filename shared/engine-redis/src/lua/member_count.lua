-- How many clients and users are in a channel.
--
-- KEYS: users, leases.

local alive = living(KEYS[2])
local all = redis.call('HGETALL', KEYS[1])
local clients, users, seen = 0, 0, {}
for i = 1, #all, 2 do
  local gateway, user = string.match(all[i], '^([^:]*):(.*)$')
  if alive[gateway] then
    clients = clients + all[i + 1]
    if not seen[user] then
      seen[user] = true
      users = users + 1
    end
  end
end
return { clients, users }

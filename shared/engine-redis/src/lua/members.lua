-- Common to scripts about members.
--
-- A member's value is 'gateway:length:user' and then whatever else is known of it; the length is that
-- of the user. Users are counted under 'gateway:user'.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function owner_of(value)
  local gateway, length, from = string.match(value, '^([^:]*):(%d+):()')
  return gateway .. ':' .. string.sub(value, from, from + length - 1), gateway
end

local function uncount(users, owner)
  if redis.call('HINCRBY', users, owner, -1) <= 0 then
    redis.call('HDEL', users, owner)
  end
end

-- Gateways whose lease is valid.
local function living(leases)
  local found = {}
  local names = redis.call('ZRANGE', leases, string.format('(%.0f', now_ms()), '+inf', 'BYSCORE')
  for _, name in ipairs(names) do
    found[name] = true
  end
  return found
end

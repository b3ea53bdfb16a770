-- Common to scripts about channels in use. They are about one proxy in one partition.
--
-- counts    how many gateways use a channel; under '' the generation of the last event
-- claims    what one gateway uses; under '' the lineage that all of it was written under
-- leases    until when the claims of a gateway count
-- events    what became of channels and was not told yet

-- How long events are kept that nobody asks for: those of a proxy that is not configured any more.
local EVENTS_TTL_MS = 7 * 24 * 3600 * 1000

local function now_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function digits(number)
  return string.format('%.0f', number)
end

local function happened(counts, events, what, at)
  local last = tonumber(redis.call('HGET', counts, '') or 0)
  local generation = digits(math.max(last + 1, now_us()))
  redis.call('HSET', counts, '', generation)
  redis.call('XADD', events, generation .. '-0', 'c', what, 't', at)
  redis.call('PEXPIRE', events, EVENTS_TTL_MS)
end

local function occupied(counts, claims, events, channel, at)
  if redis.call('HSETNX', claims, channel, '1') == 1 then
    if redis.call('HINCRBY', counts, channel, 1) == 1 then
      happened(counts, events, '+' .. channel, at)
    end
  end
end

local function vacated(counts, claims, events, channel, at)
  if redis.call('HDEL', claims, channel) == 1 then
    if redis.call('HINCRBY', counts, channel, -1) <= 0 then
      redis.call('HDEL', counts, channel)
      happened(counts, events, '-' .. channel, at)
    end
  end
end

local function lease(leases, gateway, ms)
  redis.call('ZADD', leases, digits(now_us() / 1000 + ms), gateway)
end

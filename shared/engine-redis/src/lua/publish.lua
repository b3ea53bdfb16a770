-- Publishes with history.
--
-- KEYS: header, meta, stream, and the idempotency key if there is one.
-- ARGV:
--   1 lineage          6 entry             11 version epoch
--   2 new epoch        7 size              12 '1': send the entry before it along
--   3 command          8 ttl               13 idempotency ttl
--   4 bus channel      9 ttl of the meta, '' for ever
--   5 number of the bus channel            14 channel
--                     10 version, padded to equal lengths, '' without one
-- Returns outcome: 0 published, 1 known key, 2 old version; position: 'offset:epoch'; number on the bus.

local known = KEYS[4]
if known then
  local first = redis.call('GET', known)
  if first then
    return { 1, first, '0' }
  end
end

local found = stream_under(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])

local version = ARGV[10]
if version ~= '' then
  local same = ARGV[11] == '' or ARGV[11] == found.version_epoch
  if found.version and same and version <= found.version then
    renew(KEYS[2], ARGV[9])
    return { 2, found.top .. ':' .. found.epoch, '0' }
  end
  redis.call('HSET', KEYS[2], 'v', version, 'w', ARGV[11])
end

-- The first write is one that a server without memory refuses: whatever follows is then let through.
local offset = digits(redis.call('HINCRBY', KEYS[2], 's', 1))
renew(KEYS[2], ARGV[9])
local previous = ''
if ARGV[12] == '1' then
  local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
  if newest then
    previous = newest[2][2]
  end
end
redis.call('XADD', KEYS[3], 'MAXLEN', '=', ARGV[7], offset .. '-0', 'd', ARGV[6])
redis.call('PEXPIRE', KEYS[3], ARGV[8])

local position = offset .. ':' .. found.epoch
local number = digits(redis.call('HINCRBY', KEYS[1], 'q' .. ARGV[5], 1))
local head = 'p' .. number .. ':' .. position .. ':' .. #ARGV[14] .. ':' .. #previous .. ':'
redis.call(ARGV[3], ARGV[4], head .. ARGV[14] .. previous .. ARGV[6])
if known then
  redis.call('SET', known, position, 'PX', ARGV[13])
end
return { 0, position, number }

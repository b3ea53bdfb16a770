-- Reads the top of a stream and what is kept of it.
--
-- KEYS: header, meta, stream.
-- ARGV: 1 lineage, 2 new epoch, 3 ttl of the meta or '' for ever, 4 epoch asked for or '',
--       5 command, 6 from, 7 to, 8 count or '' for all
-- Returns position, and the entries; nothing in their place if the epoch is another.

local found = stream_under(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
renew(KEYS[2], ARGV[3])
local position = found.top .. ':' .. found.epoch
if ARGV[4] ~= '' and ARGV[4] ~= found.epoch then
  return { position }
end
if ARGV[8] == '0' then
  return { position, {} }
end
if ARGV[8] == '' then
  return { position, redis.call(ARGV[5], KEYS[3], ARGV[6], ARGV[7]) }
end
return { position, redis.call(ARGV[5], KEYS[3], ARGV[6], ARGV[7], 'COUNT', ARGV[8]) }

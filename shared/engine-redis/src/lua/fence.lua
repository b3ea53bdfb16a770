-- Common to scripts that touch streams.
--
-- A partition's header names the lineage that it was last written under: the replication id of the
-- node that wrote it. Another lineage means that this data set was carried here by replication, by a
-- restart or by hand, and may lack what was acknowledged elsewhere. The partition then enters a new
-- generation, and every stream of it begins a new epoch when it is touched next.
--
-- Numbers from Redis are floating point here: they are written out with `digits`, not by `..`.

local function digits(number)
  return string.format('%.0f', number)
end

-- The partition's present generation, as text.
local function generation_under(header, lineage)
  local seen = redis.call('HMGET', header, 'l', 'g')
  if seen[1] == lineage then
    return seen[2]
  end
  local generation = redis.call('HINCRBY', header, 'g', 1)
  redis.call('HSET', header, 'l', lineage)
  return digits(generation)
end

-- The stream as it is now: made where there is none, with a new epoch where its old one can no longer
-- be vouched for. What is kept stays, and offsets go on: only the promise to know it all ends.
local function stream_under(header, meta, stream, lineage, new_epoch)
  local generation = generation_under(header, lineage)
  local found = redis.call('HMGET', meta, 'e', 's', 'g', 'v', 'w')
  if not found[1] then
    redis.call('HSET', meta, 'e', new_epoch, 's', '0', 'g', generation)
    redis.call('UNLINK', stream)
    return { epoch = new_epoch, top = '0' }
  end
  local epoch = found[1]
  if found[3] ~= generation then
    epoch = new_epoch
    redis.call('HSET', meta, 'e', epoch, 'g', generation)
  end
  return { epoch = epoch, top = found[2], version = found[4], version_epoch = found[5] }
end

local function renew(key, ttl)
  if ttl == '' then
    redis.call('PERSIST', key)
  else
    redis.call('PEXPIRE', key, ttl)
  end
end

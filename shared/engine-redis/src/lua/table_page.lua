-- Rows that have not ended, in the order of their keys: key and value of each.
--
-- KEYS: rows, order, changes, ends, number. ARGV: 1 first and 2 last key, as ZRANGEBYLEX has them; 3 now,
-- 4 how many.

local rows, from, wanted = {}, ARGV[1], tonumber(ARGV[4])
while #rows < 2 * wanted do
  local keys = redis.call('ZRANGEBYLEX', KEYS[2], from, ARGV[2], 'LIMIT', 0, wanted)
  for _, key in ipairs(keys) do
    local ends = redis.call('ZSCORE', KEYS[4], key)
    if #rows < 2 * wanted and (not ends or tonumber(ends) > tonumber(ARGV[3])) then
      rows[#rows + 1] = key
      rows[#rows + 1] = redis.call('HGET', KEYS[1], key)
    end
    from = '(' .. key
  end
  if #keys < wanted then
    break
  end
end
return rows

-- Reads a token's entry and, when it is a positive one, charges its bucket. KEYS: entry, bucket. ARGV: offset, emission, count (0 = off).
-- Dify writes these entries too: one of another type than a string counts as none.
local entry = redis.pcall('GET', KEYS[1])
if type(entry) ~= 'string' then
  return false
end
if ARGV[3] == '0' or string.sub(entry, 1, 1) ~= '{' then
  return {entry, 0}
end
return {entry, gcra(KEYS[2], now_us(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), true)}

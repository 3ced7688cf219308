-- Reads a token's entry and, when it is live, charges the token's bucket.
-- Returns nil, or the entry and the microseconds to wait.
-- KEYS: entry, bucket. ARGV: offset, emission interval in microseconds, count (0 = the limit is off).
-- Dify writes these entries too: a value that is not a string counts as absent.
local entry = redis.pcall('GET', KEYS[1])
if type(entry) ~= 'string' then
  return false
end
if ARGV[3] == '0' or string.sub(entry, 1, 1) ~= '{' then
  return {entry, 0}
end
return {entry, gcra(KEYS[2], now_us(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), true)}

-- Returns what charging the bucket would return: 0, or the microseconds to wait.
-- KEYS: bucket. ARGV: offset, emission interval in microseconds, count.
return gcra(KEYS[1], now_us(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), false)

-- Whether a bucket is full. KEYS: bucket. ARGV: offset, emission, count.
return gcra(KEYS[1], now_us(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), false)

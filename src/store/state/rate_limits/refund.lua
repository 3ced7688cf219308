-- Takes one charge of a bucket back. KEYS: bucket. ARGV: offset, emission interval in microseconds.
local now = now_us(ARGV[1])
local arrival = tonumber(redis.call('GET', KEYS[1]) or nil)
if arrival and arrival > now then
  arrival = arrival - tonumber(ARGV[2])
  redis.call('SET', KEYS[1], integer(arrival), 'PX', math.max(math.ceil((arrival - now) / 1000), 1))
end
return 0

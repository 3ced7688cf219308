-- Acquires a lease. Returns 0 when there is one that has not expired. KEYS: lease. ARGV: offset, lifetime in ms.
local now = now_ms(ARGV[1])
local expires = tonumber(redis.call('GET', KEYS[1]) or nil)
if expires and now < expires then
  return 0
end
redis.call('SET', KEYS[1], integer(now + ARGV[2]), 'PX', ARGV[2])
return 1

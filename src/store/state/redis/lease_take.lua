-- Takes a lease unless a live one is held. KEYS: lease. ARGV: offset, lasting in ms.
local now = now_ms(ARGV[1])
local ends = tonumber(redis.call('GET', KEYS[1]) or nil)
if ends and now < ends then
  return 0
end
redis.call('SET', KEYS[1], whole(now + ARGV[2]), 'PX', ARGV[2])
return 1

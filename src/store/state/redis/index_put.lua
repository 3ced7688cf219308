-- Points a user code at a device, unless a live entry has it. KEYS: entry. ARGV: offset, device hash, lifetime in ms.
local now = now_ms(ARGV[1])
local held = redis.call('GET', KEYS[1])
local ends = held and tonumber(string.match(held, '^(%d+):') or nil)
if ends and now < ends then
  return 0
end
redis.call('SET', KEYS[1], whole(now + ARGV[3]) .. ':' .. ARGV[2], 'PX', ARGV[3])
return 1

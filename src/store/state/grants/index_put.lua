-- Sets the index entry of a user code. Returns 0, and sets nothing, when there is an entry that has not expired.
-- KEYS: entry. ARGV: offset, hash of the device code, lifetime in ms.
local now = now_ms(ARGV[1])
local entry = redis.call('GET', KEYS[1])
local expires = entry and tonumber(string.match(entry, '^(%d+):') or nil)
if expires and now < expires then
  return 0
end
redis.call('SET', KEYS[1], integer(now + ARGV[3]) .. ':' .. ARGV[2], 'PX', ARGV[3])
return 1

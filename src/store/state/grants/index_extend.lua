-- Extends the index entry of a user code to the lifetime of its grant. Does nothing when the entry names another grant.
-- KEYS: entry. ARGV: offset, hash of the device code, lifetime of the grant in ms.
local now = now_ms(ARGV[1])
local entry = redis.call('GET', KEYS[1])
local expires, device_code = string.match(entry or '', '^(%d+):(.*)$')
if entry and device_code ~= ARGV[2] then
  return 0
end
if not expires or tonumber(expires) < now + ARGV[3] then
  redis.call('SET', KEYS[1], integer(now + ARGV[3]) .. ':' .. ARGV[2], 'PX', ARGV[3])
end
return 1

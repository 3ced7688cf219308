-- Lets a user code's entry live as long as its grant. KEYS: entry. ARGV: offset, device hash, what the grant has left in ms.
local now = now_ms(ARGV[1])
local held = redis.call('GET', KEYS[1])
local ends, device = string.match(held or '', '^(%d+):(.*)$')
if held and device ~= ARGV[2] then
  return 0
end
if not ends or tonumber(ends) < now + ARGV[3] then
  redis.call('SET', KEYS[1], whole(now + ARGV[3]) .. ':' .. ARGV[2], 'PX', ARGV[3])
end
return 1

-- Grant::pending. KEYS: grant. ARGV: offset. Answers nil, or when it was made, seconds left, and the request.
local expires, state = standing_of(KEYS[1])
local now = now_ms(ARGV[1])
if not expires or now >= expires or state ~= 'pending' then
  return false
end
local request = request_of(KEYS[1])
return {tonumber(redis.call('HGET', KEYS[1], 'created_ms')), math.ceil((expires - now) / 1000), unpack(request, 1, 5)}

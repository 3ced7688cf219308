-- Grant::pending. KEYS: grant. ARGV: offset.
-- Returns nil, or when the grant was created in ms, the seconds until it expires, and the request.
local expires, state = state_of(KEYS[1])
local now = now_ms(ARGV[1])
if not expires or now >= expires or state ~= 'pending' then
  return false
end
local created = tonumber(redis.call('HGET', KEYS[1], 'created_ms'))
return {created, math.ceil((expires - now) / 1000), unpack(request_of(KEYS[1]), 1, 5)}

-- Grant::deny. KEYS: grant. ARGV: offset, minimum lifetime of the grant in ms.
-- Returns the reason why not, or 'denied', the result of `extend` and the request.
local now = now_ms(ARGV[1])
local expires, reason = decidable_until(KEYS[1], now)
if reason then
  return {reason}
end
redis.call('HSET', KEYS[1], 'state', 'denied')
redis.call('HDEL', KEYS[1], 'claim', 'claim_until_ms')
return {'denied', extend(KEYS[1], expires, now, tonumber(ARGV[2])), unpack(request_of(KEYS[1]), 1, 5)}

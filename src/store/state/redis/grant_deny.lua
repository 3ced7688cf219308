-- Grant::deny. KEYS: grant. ARGV: offset, the grant's least lifetime in ms.
local now = now_ms(ARGV[1])
local expires, refusal = open_until(KEYS[1], now)
if refusal then
  return {refusal}
end
redis.call('HSET', KEYS[1], 'state', 'denied')
redis.call('HDEL', KEYS[1], 'claim', 'claim_until_ms')
return {'denied', outlive(KEYS[1], expires, now, tonumber(ARGV[2])), unpack(request_of(KEYS[1]), 1, 5)}

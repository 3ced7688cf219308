-- Grant::claim. KEYS: grant. ARGV: offset, claim, its lifetime in ms, the grant's least lifetime in ms.
local now = now_ms(ARGV[1])
local expires, refusal = open_until(KEYS[1], now)
if refusal then
  return {refusal}
end
redis.call('HSET', KEYS[1], 'claim', ARGV[2], 'claim_until_ms', whole(now + ARGV[3]))
return {'taken', outlive(KEYS[1], expires, now, tonumber(ARGV[4])), unpack(request_of(KEYS[1]), 1, 5)}

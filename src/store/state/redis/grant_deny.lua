-- Grant::deny. KEYS: grant. ARGV: offset, the grant's least lifetime in ms.
local expires, state, claim, claim_until = standing_of(KEYS[1])
local now = now_ms(ARGV[1])
if not expires or now >= expires then
  return {'unknown'}
end
if state ~= 'pending' then
  return {'resolved'}
end
if claim and now < claim_until then
  return {'in_progress'}
end
redis.call('HSET', KEYS[1], 'state', 'denied')
redis.call('HDEL', KEYS[1], 'claim', 'claim_until_ms')
return {'denied', outlive(KEYS[1], expires, now, tonumber(ARGV[2])), unpack(request_of(KEYS[1]), 1, 5)}

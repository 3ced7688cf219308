-- Grant::claim. KEYS: grant. ARGV: offset, claim, its lifetime in ms, the grant's least lifetime in ms.
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
redis.call('HSET', KEYS[1], 'claim', ARGV[2], 'claim_until_ms', whole(now + ARGV[3]))
return {'taken', outlive(KEYS[1], expires, now, tonumber(ARGV[4])), unpack(request_of(KEYS[1]), 1, 5)}

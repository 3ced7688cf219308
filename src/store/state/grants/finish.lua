-- Grant::finish. KEYS: grant. ARGV: offset, claim, token id, sealed token, minimum lifetime of the grant in ms.
-- Returns -1 when the claim is not the current one, otherwise the result of `extend`.
local expires, state, claim, claim_until = state_of(KEYS[1])
local now = now_ms(ARGV[1])
if not expires or now >= expires or state ~= 'pending' or claim ~= ARGV[2] or now >= claim_until then
  return -1
end
redis.call('HSET', KEYS[1], 'state', 'approved', 'token_id', ARGV[3], 'sealed_token', ARGV[4])
redis.call('HDEL', KEYS[1], 'claim', 'claim_until_ms')
return extend(KEYS[1], expires, now, tonumber(ARGV[5]))

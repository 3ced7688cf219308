-- Grant::release. KEYS: grant. ARGV: offset, claim.
local _, state, claim, claim_until = state_of(KEYS[1])
if state == 'pending' and claim == ARGV[2] and now_ms(ARGV[1]) < claim_until then
  redis.call('HDEL', KEYS[1], 'claim', 'claim_until_ms')
end
return 1

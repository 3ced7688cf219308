-- Grant::claim. KEYS: grant. ARGV: offset, claim, lifetime of the claim in ms, minimum lifetime of the grant in ms.
-- Returns the reason why not, or 'taken', the result of `extend` and the request.
local now = now_ms(ARGV[1])
local expires, reason = decidable_until(KEYS[1], now)
if reason then
  return {reason}
end
redis.call('HSET', KEYS[1], 'claim', ARGV[2], 'claim_until_ms', integer(now + ARGV[3]))
return {'taken', extend(KEYS[1], expires, now, tonumber(ARGV[4])), unpack(request_of(KEYS[1]), 1, 5)}

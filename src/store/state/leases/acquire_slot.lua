-- Acquires a slot, or renews the holder's slot. Returns 0 when all slots are taken.
-- KEYS: slots. ARGV: offset, holder, maximum of slots, lifetime in ms.
local now = now_ms(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', integer(now))
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
  return 0
end
redis.call('ZADD', KEYS[1], integer(now + ARGV[4]), ARGV[2])
-- The key expires with its last slot.
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[4])))
return 1

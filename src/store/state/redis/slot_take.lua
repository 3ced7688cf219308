-- Takes a slot unless all are taken; whoever has one keeps it for longer. KEYS: slots. ARGV: offset, holder, most, lasting in ms.
local now = now_ms(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now))
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
  return 0
end
redis.call('ZADD', KEYS[1], whole(now + ARGV[4]), ARGV[2])
-- The key goes when its last slot does.
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[4])))
return 1

-- Stores a new grant. KEYS: grant. ARGV: offset, lifetime in ms, interval in seconds, then pairs of field and value.
local now = now_ms(ARGV[1])
local created, expires = integer(now), integer(now + ARGV[2])
redis.call('HSET', KEYS[1], 'state', 'pending', 'created_ms', created, 'expires_ms', expires, 'interval', ARGV[3],
  unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1

-- Stores a new grant. KEYS: grant. ARGV: offset, lifetime in ms, interval, then field and value by turns.
local now = now_ms(ARGV[1])
redis.call('HSET', KEYS[1], 'state', 'pending', 'created_ms', whole(now), 'expires_ms', whole(now + ARGV[2]), 'interval', ARGV[3], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1

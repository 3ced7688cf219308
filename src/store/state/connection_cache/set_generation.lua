-- Removes the entries of a group and sets its generation.
-- KEYS: group. ARGV: generation, lifetime in milliseconds.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'generation', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return false

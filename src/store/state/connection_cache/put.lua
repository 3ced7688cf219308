-- Caches an entry while the group has the generation that its reader has seen. The first entry starts the lifetime of
-- the group, unless a generation has started it.
-- KEYS: group. ARGV: generation (empty for none), field, entry, most entries, lifetime in milliseconds.
if (redis.call('HGET', KEYS[1], 'generation') or '') ~= ARGV[1] then
  return false
end
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 0 then
  local count = tonumber(redis.call('HGET', KEYS[1], 'count') or '0')
  if count >= tonumber(ARGV[4]) then
    return false
  end
  redis.call('HSET', KEYS[1], 'count', count + 1)
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
return false

-- Marks a run as to be stopped. Returns 0 without a log, 1 for another owner's, 2 when it is marked.
-- KEYS: head. ARGV: owner.
local owner = redis.call('HGET', KEYS[1], 'owner')
if not owner then
  return 0
end
if owner ~= ARGV[1] then
  return 1
end
redis.call('HSET', KEYS[1], 'stop', '1')
return 2

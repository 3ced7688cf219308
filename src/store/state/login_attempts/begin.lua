-- Opens an attempt at every key, or at none when one of them is full. Returns 0, or the microseconds to wait.
-- KEYS: login keys. ARGV: offset, attempt, maximum of attempts, lifetime of an open attempt in microseconds.
local now = now_us(ARGV[1])
local max_attempts, lifetime, wait = tonumber(ARGV[3]), tonumber(ARGV[4]), 0
for _, key in ipairs(KEYS) do
  local wrong, wrong_until, open = attempts_of(key, now)
  if wrong >= max_attempts then
    wait = math.max(wait, wrong_until - now)
  elseif wrong + #open >= max_attempts then
    wait = math.max(wait, math.min(unpack(open)) - now)
  end
end
if wait > 0 then
  return wait
end
for _, key in ipairs(KEYS) do
  redis.call('HSET', key, ARGV[2], integer(now + lifetime))
  keep(key, lifetime)
end
return 0

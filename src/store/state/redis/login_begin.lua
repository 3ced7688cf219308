-- Opens an attempt at every counter, or at none when one of them has no room.
-- KEYS: counters. ARGV: offset, attempt, most, how long an attempt may stay open in microseconds. Answers 0, or how long to
-- wait, in microseconds.
local now = now_us(ARGV[1])
local most, patience, wait = tonumber(ARGV[3]), tonumber(ARGV[4]), 0
for _, key in ipairs(KEYS) do
  local wrong, till, open = attempts(key, now)
  if wrong >= most then
    wait = math.max(wait, till - now)
  elseif wrong + #open >= most then
    wait = math.max(wait, math.min(unpack(open)) - now)
  end
end
if wait > 0 then
  return wait
end
for _, key in ipairs(KEYS) do
  redis.call('HSET', key, ARGV[2], whole(now + patience))
  keep(key, patience)
end
return 0

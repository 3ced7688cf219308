-- Opens an attempt at every limit, or at none when one of them is reached. Returns 0, or the microseconds to wait.
-- KEYS: limits. ARGV: offset, attempt, lifetime of an open attempt, then the rule of each limit.
local now, lifetime, wait = now_us(ARGV[1]), tonumber(ARGV[3]), 0
for index, key in ipairs(KEYS) do
  local rule, found = rule_of(index, 4), attempts_of(key, now)
  local until_us = 0
  if rule.kind == 'failures' then
    local arrival = math.max(found.arrival, now) + rule.emission * (found.open + 1)
    until_us = arrival - rule.emission * rule.count
  elseif found.open > 0 and found.failures + found.open >= rule.count then
    until_us = found.open_until
  end
  -- An open attempt may end as a success, at the latest when it expires.
  if until_us > now and found.open > 0 then
    until_us = math.min(until_us, found.open_until)
  end
  if rule.kind == 'delays' and found.blocked_until > now then
    until_us = found.blocked_until
  end
  wait = math.max(wait, until_us - now)
end
if wait > 0 then
  return wait
end
for _, key in ipairs(KEYS) do
  redis.call('HSET', key, ARGV[2], integer(now + lifetime))
  keep(key, lifetime)
end
return 0

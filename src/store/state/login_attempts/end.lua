-- Ends an attempt. A wrong one counts at every limit; a correct one forgets consecutive failures.
-- KEYS: limits. ARGV: offset, attempt, outcome, lifetime of consecutive failures, then the rule of each limit.
local now, outcome, lifetime = now_us(ARGV[1]), ARGV[3], tonumber(ARGV[4])
for index, key in ipairs(KEYS) do
  local rule, found = rule_of(index, 5), attempts_of(key, now)
  redis.call('HDEL', key, ARGV[2])
  if rule.kind == 'failures' and outcome == 'wrong' then
    local arrival = math.max(found.arrival, now) + rule.emission
    redis.call('HSET', key, 'arrival', integer(arrival))
    keep(key, arrival - now)
  elseif rule.kind == 'delays' and outcome == 'wrong' then
    local failures, blocked_until = found.failures + 1, found.blocked_until
    if failures >= rule.count then
      blocked_until = now + rule.delays[math.min(failures - rule.count + 1, #rule.delays)]
    end
    local delays = integer(failures) .. ':' .. integer(now + lifetime) .. ':' .. integer(blocked_until)
    redis.call('HSET', key, 'delays', delays)
    keep(key, lifetime)
  elseif rule.kind == 'delays' and outcome == 'correct' then
    redis.call('HDEL', key, 'delays')
  end
end
return 1

-- Ends an attempt. A wrong one counts for the period, which starts with the first wrong one, and anew with the one that
-- reaches the maximum. A correct one clears the wrong ones of the first key.
-- KEYS: login keys. ARGV: offset, attempt, outcome, maximum of attempts, period in microseconds.
local now = now_us(ARGV[1])
local max_attempts, period = tonumber(ARGV[4]), tonumber(ARGV[5])
for index, key in ipairs(KEYS) do
  local wrong, wrong_until = attempts_of(key, now)
  redis.call('HDEL', key, ARGV[2])
  if ARGV[3] == 'wrong' then
    wrong = wrong + 1
    if wrong_until == 0 or wrong >= max_attempts then
      wrong_until = now + period
    end
    redis.call('HSET', key, 'wrong', integer(wrong) .. ':' .. integer(wrong_until))
    keep(key, wrong_until - now)
  elseif ARGV[3] == 'correct' and index == 1 then
    redis.call('HDEL', key, 'wrong')
  end
end
return 1

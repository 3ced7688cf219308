-- Closes an attempt. A wrong one counts: from the first for as long as the lockout; the one that fills the count begins it.
-- A right one forgets the wrong ones of the first counter.
-- KEYS: counters. ARGV: offset, attempt, outcome, most, lockout in microseconds.
local now = now_us(ARGV[1])
local most, lockout = tonumber(ARGV[4]), tonumber(ARGV[5])
for turn, key in ipairs(KEYS) do
  local wrong, till = attempts(key, now)
  redis.call('HDEL', key, ARGV[2])
  if ARGV[3] == 'wrong' then
    wrong = wrong + 1
    if till == 0 or wrong >= most then
      till = now + lockout
    end
    redis.call('HSET', key, 'wrong', whole(wrong) .. ':' .. whole(till))
    keep(key, till - now)
  elseif ARGV[3] == 'right' and turn == 1 then
    redis.call('HDEL', key, 'wrong')
  end
end
return 1

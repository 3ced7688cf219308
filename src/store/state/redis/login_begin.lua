-- Counts an attempt against every key, or against none when one of them is full. A count lasts from its first
-- attempt; the one that fills it begins the lockout.
-- KEYS: counters. ARGV: offset, most, lockout in microseconds. Answers 0, or how long to wait, in microseconds.
local now = now_us(ARGV[1])
local counts, ends, wait = {}, {}, 0
for turn, key in ipairs(KEYS) do
  local count, till = string.match(redis.call('GET', key) or '', '^(%d+):(%d+)$')
  count, till = tonumber(count or 0), tonumber(till or 0)
  if now >= till then
    count, till = 0, now + ARGV[3]
  elseif count >= tonumber(ARGV[2]) then
    wait = math.max(wait, till - now)
  end
  counts[turn], ends[turn] = count, till
end
if wait > 0 then
  return wait
end
for turn, key in ipairs(KEYS) do
  if counts[turn] + 1 >= tonumber(ARGV[2]) then
    ends[turn] = now + ARGV[3]
  end
  redis.call('SET', key, whole(counts[turn] + 1) .. ':' .. whole(ends[turn]), 'PX', math.max(math.ceil((ends[turn] - now) / 1000), 1))
end
return 0

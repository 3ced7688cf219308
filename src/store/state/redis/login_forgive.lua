-- Takes an attempt back of each counter, and forgets the first ones altogether.
-- KEYS: counters. ARGV: offset, how many to forget.
local now = now_us(ARGV[1])
for turn, key in ipairs(KEYS) do
  local count, till = string.match(redis.call('GET', key) or '', '^(%d+):(%d+)$')
  count, till = tonumber(count or 0), tonumber(till or 0)
  if turn <= tonumber(ARGV[2]) or count <= 1 or now >= till then
    redis.call('DEL', key)
  else
    redis.call('SET', key, whole(count - 1) .. ':' .. whole(till), 'PX', math.max(math.ceil((till - now) / 1000), 1))
  end
end
return 1

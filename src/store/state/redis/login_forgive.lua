-- The attempt was right: forgets the first counter and takes back one of each other. KEYS: counters. ARGV: offset.
local now = now_us(ARGV[1])
for turn, key in ipairs(KEYS) do
  local count, till = string.match(redis.call('GET', key) or '', '^(%d+):(%d+)$')
  count, till = tonumber(count or 0), tonumber(till or 0)
  if turn == 1 or count <= 1 or now >= till then
    redis.call('DEL', key)
  else
    redis.call('SET', key, whole(count - 1) .. ':' .. whole(till), 'PX', math.max(math.ceil((till - now) / 1000), 1))
  end
end
return 1

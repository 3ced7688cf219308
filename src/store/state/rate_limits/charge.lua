-- Charges buckets in order and stops at the first that is full. Returns 0, or the microseconds to wait.
-- KEYS: buckets. ARGV: offset, then emission interval in microseconds and count of each bucket.
local now = now_us(ARGV[1])
for index, bucket in ipairs(KEYS) do
  local wait = gcra(bucket, now, tonumber(ARGV[index * 2]), tonumber(ARGV[index * 2 + 1]), true)
  if wait > 0 then
    return wait
  end
end
return 0

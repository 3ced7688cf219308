-- Charges buckets in order and stops at the first that is full. KEYS: buckets. ARGV: offset, then emission and count by turns.
local now = now_us(ARGV[1])
for turn, bucket in ipairs(KEYS) do
  local over = gcra(bucket, now, tonumber(ARGV[turn * 2]), tonumber(ARGV[turn * 2 + 1]), true)
  if over > 0 then
    return over
  end
end
return 0

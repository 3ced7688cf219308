-- Put before the scripts of password attempts. How many were wrong and until when that counts, in microseconds, and when
-- the attempts end of which nobody has told yet whether they were right.
local function attempts(key, now)
  local wrong, till, open = 0, 0, {}
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local name, value = fields[at], fields[at + 1]
    if name == 'wrong' then
      local count, last = string.match(value, '^(%d+):(%d+)$')
      wrong, till = tonumber(count), tonumber(last)
    elseif tonumber(value) > now then
      open[#open + 1] = tonumber(value)
    else
      redis.call('HDEL', key, name)
    end
  end
  if now >= till then
    wrong, till = 0, 0
  end
  return wrong, till, open
end

-- The counter is kept for so many microseconds at least.
local function keep(key, lasting)
  redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), math.ceil(lasting / 1000), 1))
end


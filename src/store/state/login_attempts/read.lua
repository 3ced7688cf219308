-- Put before the scripts of password attempts. All times are in microseconds.

-- Returns the number of wrong attempts, until when they count (0 when there are none), and when each open attempt
-- expires. Deletes open attempts that have expired.
local function attempts_of(key, now)
  local wrong, wrong_until, open = 0, 0, {}
  local fields = redis.call('HGETALL', key)
  for index = 1, #fields, 2 do
    local name, value = fields[index], fields[index + 1]
    if name == 'wrong' then
      local count, last = string.match(value, '^(%d+):(%d+)$')
      wrong, wrong_until = tonumber(count), tonumber(last)
    elseif tonumber(value) > now then
      open[#open + 1] = tonumber(value)
    else
      redis.call('HDEL', key, name)
    end
  end
  if now >= wrong_until then
    wrong, wrong_until = 0, 0
  end
  return wrong, wrong_until, open
end

-- Keeps the key for at least `lifetime` more microseconds.
local function keep(key, lifetime)
  redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), math.ceil(lifetime / 1000), 1))
end


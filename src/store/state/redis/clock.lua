-- Put before every script that uses the time. The time is Redis' own, plus an offset in microseconds that is 0 outside
-- tests.
local function now_us(offset)
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2]) + tonumber(offset)
end

local function now_ms(offset)
  return math.floor(now_us(offset) / 1000)
end

-- Formats an integer. Lua's tostring would round a time to 14 digits.
local function integer(number)
  return string.format('%.0f', number)
end

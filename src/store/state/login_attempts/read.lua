-- Put before the scripts of password attempts. All times are in microseconds.

-- Returns the rule of the limit at `index`, whose six arguments follow `first - 1` others: the kind, the count, and the
-- delays of the kind `delays` or the emission interval of the kind `failures`.
local function rule_of(index, first)
  local at = first + (index - 1) * 6
  local delays = {}
  for offset = 2, 5 do
    delays[offset - 1] = tonumber(ARGV[at + offset])
  end
  return {kind = ARGV[at], count = tonumber(ARGV[at + 1]), delays = delays, emission = delays[1]}
end

-- Returns the attempts of a key: the consecutive failures, when they are forgotten and the end of their delay; the
-- theoretical arrival time of the failures in a period; the number of open attempts and when the first one expires.
-- Deletes open attempts that have expired.
local function attempts_of(key, now)
  local found = {failures = 0, forgotten = 0, blocked_until = 0, arrival = 0, open = 0}
  local fields = redis.call('HGETALL', key)
  for index = 1, #fields, 2 do
    local name, value = fields[index], fields[index + 1]
    if name == 'delays' then
      local failures, forgotten, blocked_until = string.match(value, '^(%d+):(%d+):(%d+)$')
      if tonumber(forgotten) > now then
        found.failures, found.forgotten = tonumber(failures), tonumber(forgotten)
        found.blocked_until = tonumber(blocked_until)
      end
    elseif name == 'arrival' then
      found.arrival = tonumber(value)
    elseif (tonumber(value) or 0) > now then
      found.open = found.open + 1
      found.open_until = math.min(found.open_until or tonumber(value), tonumber(value))
    else
      redis.call('HDEL', key, name)
    end
  end
  return found
end

-- Keeps the key for at least `lifetime` more microseconds.
local function keep(key, lifetime)
  redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), math.ceil(lifetime / 1000), 1))
end

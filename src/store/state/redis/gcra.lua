-- domain::limit::gcra on one bucket. Returns 0 when allowed, otherwise the microseconds to wait.
local function gcra(bucket, now, emission, count, charge)
  local arrival = math.max(tonumber(redis.call('GET', bucket) or nil) or now, now) + emission
  local wait = arrival - (now + emission * count)
  if wait > 0 then
    return wait
  end
  if charge then
    redis.call('SET', bucket, integer(arrival), 'PX', math.max(math.ceil((arrival - now) / 1000), 1))
  end
  return 0
end

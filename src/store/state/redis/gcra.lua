-- domain::limit::gcra on one bucket: 0 when allowed, else how long to wait, in microseconds.
local function gcra(bucket, now, emission, count, charge)
  local arrival = math.max(tonumber(redis.call('GET', bucket) or nil) or now, now) + emission
  local over = arrival - (now + emission * count)
  if over > 0 then
    return over
  end
  if charge then
    redis.call('SET', bucket, whole(arrival), 'PX', math.max(math.ceil((arrival - now) / 1000), 1))
  end
  return 0
end

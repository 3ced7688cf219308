-- Grant::poll. KEYS: grant. ARGV: offset, client id, tolerance in ms, step and maximum of the interval in seconds.
local found = redis.call('HMGET', KEYS[1], 'client_id', 'expires_ms', 'last_poll_ms', 'interval', 'state', 'created_ip')
local now = now_ms(ARGV[1])
if not found[1] or now >= tonumber(found[2]) then
  return {'unknown'}
end
if found[1] ~= ARGV[2] then
  return {'client_mismatch'}
end
local interval = tonumber(found[4])
local early = found[3] and math.max(now - tonumber(found[3]), 0) + ARGV[3] < interval * 1000
if early then
  interval = math.min(interval + ARGV[4], tonumber(ARGV[5]))
  redis.call('HSET', KEYS[1], 'last_poll_ms', whole(now), 'interval', whole(interval))
  return {'slow_down', interval}
end
redis.call('HSET', KEYS[1], 'last_poll_ms', whole(now))
if found[5] == 'approved' then
  local approval = redis.call('HMGET', KEYS[1], 'token_id', 'sealed_token')
  return {'approved', found[6], approval[1], approval[2]}
end
return {found[5], found[6]}

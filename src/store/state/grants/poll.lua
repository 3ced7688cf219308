-- Grant::poll. KEYS: grant. ARGV: offset, client id, tolerance in ms; the interval, its step and its maximum in seconds.
-- Returns a word, and what belongs to it: the interval, or the address that created the grant and the approval.
local found =
  redis.call('HMGET', KEYS[1], 'client_id', 'expires_ms', 'last_poll_ms', 'interval', 'state', 'created_ip')
local client_id, expires, last_poll, interval, state, created_ip = unpack(found, 1, 6)
local now = now_ms(ARGV[1])
if not client_id or now >= tonumber(expires) then
  return {'unknown'}
end
if client_id ~= ARGV[2] then
  return {'client_mismatch'}
end
local is_early = last_poll and math.max(now - tonumber(last_poll), 0) + ARGV[3] < ARGV[4] * 1000
if is_early then
  interval = math.min(interval + ARGV[5], tonumber(ARGV[6]))
  redis.call('HSET', KEYS[1], 'interval', integer(interval))
  return {'slow_down', interval}
end
redis.call('HSET', KEYS[1], 'last_poll_ms', integer(now), 'interval', ARGV[4])
if state == 'approved' then
  local approval = redis.call('HMGET', KEYS[1], 'token_id', 'sealed_token')
  return {'approved', created_ip, approval[1], approval[2]}
end
return {state, created_ip}

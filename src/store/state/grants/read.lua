-- Put before the scripts that decide a grant. The words are those of domain::grant.
local function request_of(key)
  return redis.call('HMGET', key, 'client_id', 'device_label', 'created_ip', 'user_agent', 'seal_key')
end

-- Returns when the grant expires, its state, its claim, and when the claim expires.
local function state_of(key)
  local found = redis.call('HMGET', key, 'expires_ms', 'state', 'claim', 'claim_until_ms')
  return tonumber(found[1] or nil), found[2], found[3], tonumber(found[4] or 0)
end

-- Returns when a grant that can be decided expires. For any other grant returns nil and the reason.
local function decidable_until(key, now)
  local expires, state, claim, claim_until = state_of(key)
  if not expires or now >= expires then
    return nil, 'unknown'
  end
  if state ~= 'pending' then
    return nil, 'resolved'
  end
  if claim and now < claim_until then
    return nil, 'in_progress'
  end
  return expires
end

-- Extends the grant to at least `lifetime` ms from now. Returns the new lifetime, or 0 when the grant was not extended.
local function extend(key, expires, now, lifetime)
  local min_expires = now + lifetime
  if expires >= min_expires then
    return 0
  end
  redis.call('HSET', key, 'expires_ms', integer(min_expires))
  redis.call('PEXPIRE', key, lifetime)
  return lifetime
end

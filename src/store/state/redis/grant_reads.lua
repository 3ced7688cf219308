-- Put before the scripts that decide a grant; the same words as domain::grant.
local function request_of(key)
  return redis.call('HMGET', key, 'client_id', 'device_label', 'created_ip', 'user_agent', 'seal_key')
end

local function standing_of(key)
  local found = redis.call('HMGET', key, 'expires_ms', 'state', 'claim', 'claim_until_ms')
  return tonumber(found[1] or nil), found[2], found[3], tonumber(found[4] or 0)
end

-- Until when a grant that may be decided lives; of one that may not, nil and the word for why.
local function open_until(key, now)
  local expires, state, claim, claim_until = standing_of(key)
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

-- Makes sure the grant lives `lasting` ms from now; returns what it then has left, or 0 when it already did.
local function outlive(key, expires, now, lasting)
  local least = now + lasting
  if expires >= least then
    return 0
  end
  redis.call('HSET', key, 'expires_ms', whole(least))
  redis.call('PEXPIRE', key, lasting)
  return lasting
end

-- Grant::redeems, and the deletion of the grant in the same step. KEYS: grant. ARGV: offset, token id. Returns 1 or 0.
local found = redis.call('HMGET', KEYS[1], 'expires_ms', 'state', 'token_id')
if not found[1] or now_ms(ARGV[1]) >= tonumber(found[1]) or found[2] ~= 'approved' or found[3] ~= ARGV[2] then
  return 0
end
redis.call('DEL', KEYS[1])
return 1

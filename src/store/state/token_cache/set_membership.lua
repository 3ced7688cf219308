-- Records in the live entry of a token whether its account is a member of a workspace. The entry keeps its expiry.
-- KEYS: entry. ARGV: token id, workspace id, 1 or 0.
local entry = redis.pcall('GET', KEYS[1])
if type(entry) ~= 'string' or string.sub(entry, 1, 1) ~= '{' then
  return 0
end
local is_json, context = pcall(cjson.decode, entry)
local ttl = redis.call('PTTL', KEYS[1])
if not is_json or context.token_id ~= ARGV[1] or ttl <= 0 then
  return 0
end
if type(context.verified_tenants) ~= 'table' then
  context.verified_tenants = {}
end
context.verified_tenants[ARGV[2]] = ARGV[3] == '1'
redis.call('SET', KEYS[1], cjson.encode(context), 'PX', ttl)
return 1

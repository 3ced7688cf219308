-- Notes in a positive entry of one token whether it is of a workspace's member; the entry lives no longer for it.
-- KEYS: entry. ARGV: token id, workspace, 1 or 0.
local entry = redis.pcall('GET', KEYS[1])
if type(entry) ~= 'string' or string.sub(entry, 1, 1) ~= '{' then
  return 0
end
local readable, context = pcall(cjson.decode, entry)
local left = redis.call('PTTL', KEYS[1])
if not readable or context.token_id ~= ARGV[1] or left <= 0 then
  return 0
end
if type(context.verified_tenants) ~= 'table' then
  context.verified_tenants = {}
end
context.verified_tenants[ARGV[2]] = ARGV[3] == '1'
redis.call('SET', KEYS[1], cjson.encode(context), 'PX', left)
return 1

-- Reads a page of a log. Returns nothing without a log; else owner, phase, whether it is lost, segment, end, number of
-- the first event that follows, and the events.
-- KEYS: head, events. ARGV: offset, number of the first event, maximum of events.
local head = redis.call('HMGET', KEYS[1], 'owner', 'phase', 'lease', 'segment', 'end')
if not head[1] then
  return {}
end
local last = tonumber(head[5] or '0')
local first = last - redis.call('LLEN', KEYS[2])
local from = math.min(math.max(tonumber(ARGV[2]), first), last)
local lost = 0
if head[2] == 'running' and now_ms(ARGV[1]) >= tonumber(head[3]) then
  lost = 1
end
local page = redis.call('LRANGE', KEYS[2], from - first, from - first + ARGV[3] - 1)
return {head[1], head[2], lost, tonumber(head[4] or '0'), last, from, page}

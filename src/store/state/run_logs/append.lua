-- Appends to a log, creates it if there is none, and renews its lease. Returns 1 when the run is to be stopped.
-- KEYS: head, events. ARGV: offset, owner, phase, begins segment, lease in ms, retention of the head in ms, retention of
-- the events in ms, maximum of events, maximum of bytes, bytes of an event besides its text, events.
local now = now_ms(ARGV[1])
if redis.call('HSETNX', KEYS[1], 'owner', ARGV[2]) == 1 then
  redis.call('DEL', KEYS[2])
end
redis.call('HSET', KEYS[1], 'phase', ARGV[3], 'lease', integer(now + ARGV[5]))
local last = tonumber(redis.call('HGET', KEYS[1], 'end') or '0')
local bytes, count = 0, redis.call('LLEN', KEYS[2])
-- The list may have expired, or Redis may have evicted it.
if count > 0 then
  bytes = tonumber(redis.call('HGET', KEYS[1], 'bytes') or '0')
end
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'segment', integer(last))
end
local max_events, max_bytes, overhead = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
for i = 11, #ARGV do
  local length = #ARGV[i] + overhead
  if length <= max_bytes then
    redis.call('RPUSH', KEYS[2], ARGV[i])
    bytes, count, last = bytes + length, count + 1, last + 1
  end
end
while count > max_events or bytes > max_bytes do
  bytes, count = bytes - #redis.call('LPOP', KEYS[2]) - overhead, count - 1
end
redis.call('HSET', KEYS[1], 'end', integer(last), 'bytes', integer(bytes))
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[7])
return redis.call('HEXISTS', KEYS[1], 'stop')

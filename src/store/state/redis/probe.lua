-- Runs every command that the scripts and the stores use, on keys of its own: text, hash, list and set.
-- Returns the first command that fails and its error, or nothing.
local text, hash, list, set = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local commands = {
  {'DEL', text, hash, list, set},
  {'SET', text, '1', 'PX', '1000'},
  {'GET', text},
  {'MGET', text},
  {'EXISTS', text},
  {'PTTL', text},
  {'PEXPIRE', text, '1000'},
  {'HSET', hash, 'a', '1'},
  {'PEXPIRE', hash, '1000'},
  {'HSETNX', hash, 'b', '1'},
  {'HGET', hash, 'a'},
  {'HMGET', hash, 'a'},
  {'HGETALL', hash},
  {'HEXISTS', hash, 'a'},
  {'HDEL', hash, 'a'},
  {'RPUSH', list, '1', '2'},
  {'PEXPIRE', list, '1000'},
  {'LLEN', list},
  {'LRANGE', list, '0', '0'},
  {'LPOP', list},
  {'ZADD', set, '1', 'a'},
  {'PEXPIRE', set, '1000'},
  {'ZCARD', set},
  {'ZSCORE', set, 'a'},
  {'ZREMRANGEBYSCORE', set, '0', '0'},
  {'ZREM', set, 'a'},
  {'TIME'},
  -- After a failure the keys expire.
  {'DEL', text, hash, list, set},
}
for _, command in ipairs(commands) do
  local reply = redis.pcall(unpack(command))
  if type(reply) == 'table' and reply['err'] then
    return {command[1], reply['err']}
  end
end
return {}

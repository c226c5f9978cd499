//nolint:gochecknoglobals,dupword // scripts are compiled once, and Lua repeats its keywords
package xstream

// beat says that a member is alive and what it has, removes members that are
// not, and records the number of partitions if nobody has.
//
//	KEYS[1] partitions   KEYS[2] members   KEYS[3] owned   KEYS[4] wake
//	ARGV[1] member   ARGV[2] time to live in ms   ARGV[3] number of partitions
//	ARGV[4] list of what it has   ARGV[5] version that it knows, or ""
//	reply   {1, version, ms until a member is overdue}, and behind that HGETALL of owned
//	        if the version is another one; or {-1, recorded number}
//
// The version is the last ID of the wake stream, so that a change and the call that
// wakes the others are one. Nobody can live longer than the time to live, which all
// members have in common, unless the server's clock went back. Who is on no
// list any more, as after somebody deleted it, has nothing.
var beat = newScript(`
local n = redis.call('HGET', KEYS[1], 'n')
if not n then
  redis.call('HSET', KEYS[1], 'n', ARGV[3])
elseif n ~= ARGV[3] then
  return {-1, n}
end` + clock + `
local exp = now + tonumber(ARGV[2])
local changed = redis.call('ZADD', KEYS[2], exp, ARGV[1]) == 1
for _, m in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[2], m)
  redis.call('HDEL', KEYS[3], m)
  changed = true
end
for _, m in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. exp, '+inf', 'LIMIT', 0, 100)) do
  redis.call('ZADD', KEYS[2], exp, m)
end
if redis.call('HGET', KEYS[3], ARGV[1]) ~= ARGV[4] then
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
  changed = true
end
local listed = redis.call('HLEN', KEYS[3])
if listed > redis.call('ZCARD', KEYS[2]) then
  for _, m in ipairs(redis.call('HKEYS', KEYS[3])) do
    if not redis.call('ZSCORE', KEYS[2], m) then
      redis.call('HDEL', KEYS[3], m)
    end
  end
  changed = true
end
local top = not changed and redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)[1]
local version = top and top[1] or redis.call('XADD', KEYS[4], 'MAXLEN', 1, '*', 'by', ARGV[1])
local soonest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] - now
if version == ARGV[5] then return {1, version, soonest} end
return {1, version, soonest, redis.call('HGETALL', KEYS[3])}`)

// resign takes a member off.
//
//	KEYS[1] members   KEYS[2] owned   KEYS[3] wake   ARGV[1] member
var resign = newScript(`
redis.call('HDEL', KEYS[2], ARGV[1])
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then
  redis.call('XADD', KEYS[3], 'MAXLEN', 1, '*', 'by', ARGV[1])
end
return 1`)

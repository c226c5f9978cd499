//nolint:gochecknoglobals,dupword // scripts are compiled once, and Lua repeats its keywords
package xstream

// The lease of a partition is a hash: owner, epoch, exp and ttl, both in ms, exp by
// the server's clock. It is never deleted while the group lives.

// clock is what scripts use to know the time in ms.
const clock = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)`

// fence is how each script begins that may be executed for the owner of a partition
// only. It takes what it needs from the end of the keys and arguments, so that others'
// scripts can stand behind it:
//
//	KEYS[last] lease
//	ARGV[last but one] member   ARGV[last] epoch
//	reply   -1 when the partition is not the member's any more
const fence = `
local epoch = table.remove(ARGV)
local member = table.remove(ARGV)
local lease = redis.call('HMGET', KEYS[#KEYS], 'owner', 'epoch')
if lease[1] ~= member or lease[2] ~= epoch then return -1 end`

// acquire takes a lease that nobody has, or that is over.
//
//	KEYS[1] lease   ARGV[1] member   ARGV[2] time to live in ms
//	reply   {1, epoch}, or {0, ms that are left of the lease, owner}
//
// Its owner gets it again, with a new epoch: the last reply was lost. Epochs grow, even
// if the server has forgotten the last one. A lease can't be longer than its time to
// live, unless the server's clock went back.
var acquire = newScript(clock + `
local lease = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'exp', 'ttl')
if lease[1] and lease[1] ~= '' and lease[1] ~= ARGV[1] then
  local exp, most = tonumber(lease[3]), now + tonumber(lease[4])
  if exp > most then
    exp = most
    redis.call('HSET', KEYS[1], 'exp', exp)
  end
  if exp > now then return {0, exp - now, lease[1]} end
end
local epoch = math.max(tonumber(lease[2] or 0) + 1, now)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', epoch, 'exp', now + tonumber(ARGV[2]), 'ttl', ARGV[2])
return {1, epoch}`)

// renew lets a lease begin anew, also one that is over: while nobody else was
// granted it, nothing has happened. And it says whether there is something to recall.
//
//	KEYS[1] stream   KEYS[2] lease
//	ARGV[1] group    ARGV[2] consumer   ARGV[3] time to live in ms   ARGV[4], [5] see fence
//	reply   0, or 1 when something is pending for another consumer; see fence
//
// The server knows what is pending by consumer, so this costs little. A group that is
// gone is somebody else's trouble.
var renew = newScript(fence + clock + `
redis.call('HSET', KEYS[2], 'exp', now + tonumber(ARGV[3]), 'ttl', ARGV[3])
for _, c in ipairs(redis.pcall('XPENDING', KEYS[1], ARGV[1])[4] or {}) do
  if c[1] ~= ARGV[2] then return 1 end
end
return 0`)

// vacate ends a lease. The epoch stays.
//
//	KEYS[1] stream   KEYS[2] lease   ARGV[1], [2] see fence
//	reply   0; see fence
var vacate = newScript(fence + `
redis.call('HSET', KEYS[2], 'owner', '', 'exp', 0)
return 0`)

// settle acks.
//
//	KEYS[1] stream   KEYS[2] lease
//	ARGV[1] group    ARGV[2] consumer   ARGV[3] the greatest ID that is settled for sure
//	ARGV[4…] IDs, at most 1,000   ARGV[last but one], [last] see fence
//	reply   how many were pending; -2 when the server has forgotten acks; see fence
//
// It has if something up to that ID is pending for the consumer. What others have
// there was never read by the member.
var settle = newScript(fence + `
if redis.call('XPENDING', KEYS[1], ARGV[1], '-', ARGV[3], 1, ARGV[2])[1] then return -2 end
return redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 4))`)

// recall makes what is pending in the group the consumer's and returns it. No
// delivery count changes.
//
//	KEYS[1] stream   KEYS[2] lease
//	ARGV[1] group    ARGV[2] consumer   ARGV[3] first ID   ARGV[4] how many to look at
//	ARGV[5], [6] see fence
//	reply   {{ID, deliveries, fields}…}, {IDs whose entry no longer exists, now acked…};
//	        see fence
//
// A reserved consumer is removed when nothing is left for it; see take.
var recall = newScript(fence + bounded + `
local rows = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], '+', ARGV[4])` + recalling)

// adopt is recall for what is pending for other consumers.
//
//	keys, arguments and reply as for recall, but for ARGV[3] last ID
var adopt = newScript(fence + bounded + `
local rows, most = {}, tonumber(ARGV[4])
for _, c in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1])[4] or {}) do
  if c[1] ~= ARGV[2] and #rows < most then
    for _, p in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', ARGV[3], most - #rows, c[1])) do rows[#rows + 1] = p end
  end
end` + recalling)

// recalling makes rows of XPENDING the consumer's and returns what they stand for.
const recalling = `
local entries, gone, reserved, claim = {}, {}, {}, {'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0}
for _, p in ipairs(rows) do
  local id, owner = p[1], p[2]
  local e = redis.call('XRANGE', KEYS[1], id, id)[1]
  if e then
    entries[#entries + 1] = {id, bounded(p[4]), e[2]}
    if owner ~= ARGV[2] then claim[#claim + 1] = id end
  else
    redis.call('XACK', KEYS[1], ARGV[1], id)
    gone[#gone + 1] = id
  end
  if owner == '` + Released + `' or owner == '` + Delayed + `' then reserved[owner] = true end
end
if #claim > 5 then
  claim[#claim + 1] = 'JUSTID'
  redis.call(unpack(claim)) -- XCLAIM
end
for owner in pairs(reserved) do
  if not redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, owner)[1] then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], owner)
  end
end
return {entries, gone}`

// What the owner of a partition does as other consumers do.
//
//	keys, arguments and reply as without a fence, and those of the fence
var (
	fencedTouch = newScript(fence + touching)
	fencedBury  = newScript(fence + burying)
)

const fencedAckBuried = fence + ackBuried

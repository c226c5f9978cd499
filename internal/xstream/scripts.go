package xstream

import "time"

// Released is the reserved consumer of every group that holds what its members
// gave back. Anybody may take an entry from it at once: entries get there with
// an idle time of about 31 years.
const Released = "~released"

// Delayed is the reserved consumer of every group that holds what is to be handed
// out later. An entry is due when its idle time reaches that of a released one.
const Delayed = "~delayed"

// IsReserved reports whether a consumer's name is one of those two.
func IsReserved(consumer string) bool { return consumer == Released || consumer == Delayed }

// releasedIdle must stay below the server's clock in milliseconds: Redis clamps
// a greater value to an idle time of zero, the opposite of a release.
const releasedIdle = 1_000_000_000_000 * time.Millisecond

const releasedMillis = "1000000000000"

// scriptPage bounds what one script call does, because nothing else runs on the
// server meanwhile: 128 IDs take about half a millisecond.
const scriptPage = 128

// MaxDeliveries is the greatest delivery count that we keep. Anybody may give an
// entry any count, and scripts calculate with floating-point numbers, which are
// exact up to here.
const MaxDeliveries = 1<<53 - 1

// bounded is what scripts use to bound a delivery count.
const bounded = `
local function bounded(count) return math.max(math.min(count, 9007199254740991), 0) end`

// take moves pending entries to a consumer and returns them with their bodies.
// Their delivery counts stay: a claim is not a delivery.
//
//	KEYS[1] stream
//	ARGV[1] group   ARGV[2] new consumer   ARGV[3] present consumer, "" = any
//	ARGV[4] the least idle time in ms      ARGV[5] how many to take at most
//	ARGV[6…] IDs
//	reply   {{ID, deliveries, fields}…}, {IDs whose entry no longer exists…},
//	        how many of the IDs it has looked at
//
// A reserved consumer is removed when nothing is left for it, so that it is never
// around idle and empty, where somebody else's cleaning could race with a release.
var take = newScript(bounded + `
local taken, gone = {}, {}
local from, most, i = ARGV[3], tonumber(ARGV[5]), 6
while i <= #ARGV and #taken < most do
  local query = {'XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[4], ARGV[i], ARGV[i], 1}
  if from ~= '' then query[9] = from end
  local p = redis.call(unpack(query))[1] -- XPENDING
  if p then
    local count = bounded(p[4])
    local e = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'RETRYCOUNT', count)[1]
    if e then taken[#taken + 1] = {ARGV[i], count, e[2]} else gone[#gone + 1] = ARGV[i] end
  end
  i = i + 1
end
if (from == '` + Released + `' or from == '` + Delayed + `') and not redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, from)[1] then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], from)
end
return {taken, gone, i - 6}`)

// touch renews entries that still belong to a consumer, and may set their
// delivery counts on the way. The counts are absolute, so that it does no harm to
// do it twice.
//
//	KEYS[1] stream
//	ARGV[1] group   ARGV[2] consumer   ARGV[3], [4]… ID, its count or -1 to keep it
//	reply   for each ID its count now, -1 when it belongs to somebody else or is
//	        settled, -2 when its entry no longer exists
//
// The ones whose count stays go into one XCLAIM, which is what makes a
// heartbeat of many entries cheap.
var touch = newScript(touching)

const touching = bounded + `
local reply, at, renew = {}, {}, {'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0}
for i = 3, #ARGV, 2 do
  local id, count = ARGV[i], tonumber(ARGV[i + 1])
  local p = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])[1]
  local n = #reply + 1
  if not p then
    reply[n] = -1
  elseif count < 0 then
    reply[n] = -2
    at[id] = {n, bounded(p[4])}
    renew[#renew + 1] = id
  else
    count = bounded(count)
    local ok = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'RETRYCOUNT', count, 'JUSTID')[1]
    reply[n] = ok and count or -2
  end
end
if #renew > 5 then
  renew[#renew + 1] = 'JUSTID'
  for _, id in ipairs(redis.call(unpack(renew))) do -- XCLAIM
    reply[at[id][1]] = at[id][2]
  end
end
return reply`

// write changes nothing. It is a script, because it takes other rights to run one.
//
//	KEYS[1] stream   ARGV[1] group
var write = newScript(`return redis.call('XACK', KEYS[1], ARGV[1], '` + ackNothing + `')`)

// release gives entries to a reserved consumer, if they are still the consumer's, and
// the group is the one that it knows.
//
//	KEYS[1] stream   KEYS[2] mark, if any
//	ARGV[1] group    ARGV[2] consumer   ARGV[3] reserved consumer   ARGV[4] idle time in ms
//	ARGV[5] the mark that the consumer knows
//	ARGV[6], [7]… ID, its count or -1 to keep it
//	reply   how many were released
var release = newScript(bounded + `
if KEYS[2] and (redis.call('GET', KEYS[2]) or ARGV[5]) ~= ARGV[5] then return 0 end
local n = 0
for i = 6, #ARGV, 2 do
  local p = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1]
  if p then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[i], 'IDLE', ARGV[4],
      'RETRYCOUNT', bounded(tonumber(ARGV[i + 1]) < 0 and p[4] or ARGV[i + 1]), 'JUSTID')
    n = n + 1
  end
end
return n`)

// leave releases what is pending for a consumer without its knowledge, and
// removes the consumer when nothing is left.
//
//	KEYS[1] stream
//	ARGV[1] group   ARGV[2] consumer   ARGV[3] change of the count of IDs not listed
//	ARGV[4] page    ARGV[5], [6]… ID, change of its count or "keep"
//	reply   {released, 1 when the consumer is gone}
//
// An ID marked "keep" is one whose ack may have reached the server or not: to
// release it would hand a finished message to somebody else.
var leave = newScript(bounded + `
local known, n = {}, 0
for i = 5, #ARGV, 2 do known[ARGV[i]] = ARGV[i + 1] end
for _, p in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[4], ARGV[2])) do
  local change = known[p[1]] or ARGV[3]
  if change ~= 'keep' then
    redis.call('XCLAIM', KEYS[1], ARGV[1], '` + Released + `', 0, p[1], 'IDLE', ` + releasedMillis + `,
      'RETRYCOUNT', bounded(p[4] + change), 'JUSTID')
    n = n + 1
  end
end
if redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])[1] then return {n, 0} end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return {n, 1}`)

// restore creates a group that is gone, and registers there again what a
// consumer had. A group that somebody else restored meanwhile is left as it is.
//
//	KEYS[1] stream   KEYS[2] mark
//	ARGV[1] group    ARGV[2] consumer   ARGV[3] start   ARGV[4] new mark
//	ARGV[5] idle time in ms   ARGV[6], [7]… ID, deliveries
//	reply   {mark, IDs that belong to the consumer now, IDs that others have}
//
// The mark tells other members that the group is not the one they knew: a
// member that was not reading when the group went would otherwise take what it
// holds for lost to somebody. It comes first: a group without its mark would do
// harm, a mark without its group does none.
var restore = newScript(`
if redis.pcall('XPENDING', KEYS[1], ARGV[1]).err then
  redis.call('SET', KEYS[2], ARGV[4], 'EX', 86400)
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[3], 'MKSTREAM')
end
local mine, theirs = {}, {}
for i = 6, #ARGV, 2 do
  local p = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]
  if not p or p[2] == ARGV[2] then
    local ok = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[5], 'RETRYCOUNT', ARGV[i + 1], 'FORCE', 'JUSTID')[1]
    if ok then mine[#mine + 1] = ok end
  else
    theirs[#theirs + 1] = ARGV[i]
  end
end
return {redis.call('GET', KEYS[2]) or '', mine, theirs}`)

// bury moves an entry to the group's dead letters. The add comes before the
// ack: a script that fails half-way is not rolled back, and this half only
// repeats itself. Before both comes an ack of nothing: it fails where the ack
// would, as without the right to it, and then there is no letter.
//
//	KEYS[1] stream   KEYS[2] dead letters
//	ARGV[1] group    ARGV[2] consumer   ARGV[3] ID
//	ARGV[4] the most dead letters to keep, 0 = all   ARGV[5…] name, value, …
//	reply   1, or 0 when the entry is no longer the consumer's
var bury = newScript(burying)

const burying = `
redis.call('XACK', KEYS[1], ARGV[1], '` + ackNothing + `')
if not redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])[1] then return 0 end
if ARGV[4] == '0' then
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, 5))
else
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', unpack(ARGV, 5))
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[3])
return 1`

// ackBuried ends a burial whose letter is too long for a script. It is part of a
// transaction, which goes on when its XADD has failed: then there is no stream, and the
// script fails.
//
//	KEYS[1] stream   KEYS[2] dead letters   ARGV[1] group   ARGV[2] ID
const ackBuried = `
redis.call('XINFO', 'STREAM', KEYS[2])
return redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])`

// requeue gives a dead letter back to the group that gave it up, and to no other:
// the entry itself while it exists, else a copy that is addressed to the group.
//
//	KEYS[1] stream   KEYS[2] dead letters
//	ARGV[1] group    ARGV[2] letter's ID   ARGV[3] entry's ID
//	ARGV[4] how many values of the letter are the entry's own
//	ARGV[5] idle time in ms of what is released
//	ARGV[6] how many values a copy may have   ARGV[7…] name, value, … of a copy's address
//	reply   1; 0 when there is no such letter any more; -1 when it is too long to copy
var requeue = newScript(`
local letter = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])[1]
if not letter then return 0 end
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)[1]
if redis.call('XRANGE', KEYS[1], ARGV[3], ARGV[3])[1] then
  if not pending then
    redis.call('XCLAIM', KEYS[1], ARGV[1], '` + Released + `', 0, ARGV[3], 'IDLE', ARGV[5],
      'RETRYCOUNT', 0, 'FORCE', 'JUSTID')
  end
else
  if tonumber(ARGV[4]) > tonumber(ARGV[6]) then return -1 end
  local copy = {'XADD', KEYS[1], '*'}
  for i = 1, ARGV[4] do copy[#copy + 1] = letter[2][i] end
  for i = 7, #ARGV do copy[#copy + 1] = ARGV[i] end
  redis.call(unpack(copy)) -- XADD
end
redis.call('XDEL', KEYS[2], ARGV[2])
return 1`)

// recordPartitions records how many partitions a topic has, if nobody has yet.
//
//	KEYS[1] stream of the topic   KEYS[2] hash   ARGV[1] number
//	reply   the number that it has now
//
// A topic with entries of which nobody has said anything has one partition: what is in its
// stream would be found by nobody if it had more.
var recordPartitions = newScript(`
local n = redis.call('HGET', KEYS[2], 'n')
if n then return n end
if ARGV[1] ~= '1' and redis.call('TYPE', KEYS[1]).ok == 'stream'
  and redis.call('XLEN', KEYS[1]) > 0 then return '1' end
redis.call('HSET', KEYS[2], 'n', ARGV[1])
return ARGV[1]`)

// switchPartitions changes the number of a topic's partitions. Where none is recorded, the
// topic has been used without partitions, which is one.
//
//	KEYS[1] hash   ARGV[1] present number   ARGV[2] new number
//	reply   the number that was recorded; 0 when none was and the present one is not 1
var switchPartitions = newScript(`
local n = redis.call('HGET', KEYS[1], 'n')
if (n or '1') ~= ARGV[1] then return n or '0' end
redis.call('HSET', KEYS[1], 'n', ARGV[2])
return ARGV[1]`)

// discard removes a consumer, unless something is pending for it: the server
// would forget those entries with it.
//
//	KEYS[1] stream   ARGV[1] group   ARGV[2] consumer
//	reply   1 when it was removed
var discard = newScript(`
if redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])[1] then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1`)

// hold takes or renews a named lease.
//
//	KEYS[1] lease   ARGV[1] token   ARGV[2] time to live in ms
//	reply   "" when it is the caller's now, else the token of who has it
var hold = newScript(`
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return owner end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ''`)

// drop ends a named lease of the caller's.
//
//	KEYS[1] lease   ARGV[1] token
var drop = newScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0`)

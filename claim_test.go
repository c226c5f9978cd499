package redisstream_test

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// shortIdle is a MinIdle that makes tests short and bears a busy machine.
const shortIdle = 2 * time.Second

// tally records what handlers get.
type tally struct {
	mu       sync.Mutex
	handOuts map[string]int   // by payload
	first    map[string]int64 // the delivery count of a payload's first hand-out
	by       map[string]int   // hand-outs by handler
	owner    map[string]string
	order    []string // payloads
	times    []time.Time
}

func newTally() *tally {
	return &tally{handOuts: map[string]int{}, first: map[string]int64{}, by: map[string]int{}, owner: map[string]string{}}
}

func (c *tally) add(who string, msg *message.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	payload := string(msg.Payload)
	if c.handOuts[payload]++; c.handOuts[payload] == 1 {
		c.first[payload], _ = redisstream.DeliveryCountFromContext(msg.Context())
	}
	c.by[who]++
	c.owner[payload] = who
	c.order = append(c.order, payload)
	c.times = append(c.times, time.Now())
}

// work has a handler of that name handle a channel's messages, each in a
// goroutine of its own, and acks them. It ends with the channel.
func (c *tally) work(out <-chan *message.Message, who string, handle func(msg *message.Message)) {
	go func() {
		for msg := range out {
			c.add(who, msg)
			go func() {
				handle(msg)
				msg.Ack()
			}()
		}
	}()
}

// distinct is how many messages were handed out at least once.
func (c *tally) distinct() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.handOuts)
}

func (c *tally) of(who string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[who]
}

func (c *tally) countOf(payload string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handOuts[payload]
}

// requireOnce fails unless the payloads from, …, to-1 and no others were handed
// out, each once.
func (c *tally) requireOnce(tb testing.TB, from, to int) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := from; i < to; i++ {
		require.Equal(tb, 1, c.handOuts[strconv.Itoa(i)], "hand-outs of payload %d", i)
	}
	require.Len(tb, c.handOuts, to-from)
}

// lasting is a handler that takes a time.
func lasting(d time.Duration) func(*message.Message) {
	return func(*message.Message) { <-time.After(d) }
}

// payloads lists "from", …, "to-1".
func payloads(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i))
	}
	return out
}

// receivePayloads takes n messages and acks them. It returns their payloads.
func receivePayloads(tb testing.TB, out <-chan *message.Message, n int, within time.Duration) []string {
	tb.Helper()
	got := make([]string, n)
	for i := range got {
		msg := receive(tb, out, within)
		got[i] = string(msg.Payload)
		require.True(tb, msg.Ack())
	}
	return got
}

// pendingEntry is a line of XPENDING.
type pendingEntry struct {
	id, consumer string
	idle         time.Duration
	count        int64
}

// pendingEntries lists what is pending in a group, for one consumer or for all.
func pendingEntries(tb testing.TB, server *redistest.Server, topic, group string, consumer ...string) []pendingEntry {
	tb.Helper()
	args := append([]string{"XPENDING", topic, group, "-", "+", "10000"}, consumer...)
	var out []pendingEntry
	for _, item := range server.Do(tb, args...).([]any) {
		f := item.([]any)
		out = append(out, pendingEntry{f[0].(string), f[1].(string), time.Duration(f[2].(int64) * int64(time.Millisecond)), f[3].(int64)})
	}
	return out
}

// entryIDs lists the IDs of a stream's entries.
func entryIDs(tb testing.TB, server *redistest.Server, topic string) []string {
	tb.Helper()
	var ids []string
	for _, item := range server.Do(tb, "XRANGE", topic, "-", "+").([]any) {
		ids = append(ids, item.([]any)[0].(string))
	}
	return ids
}

// die leaves the first n entries of a stream pending for a consumer that is
// never heard of again.
func die(tb testing.TB, server *redistest.Server, topic, group, consumer string, n int) {
	tb.Helper()
	_, _ = server.TryDo(tb.Context(), "XGROUP", "CREATE", topic, group, "0", "MKSTREAM")
	server.Do(tb, "XREADGROUP", "GROUP", group, consumer, "COUNT", strconv.Itoa(n), "STREAMS", topic, ">")
}

// fillBuffer acks messages, as many as given or some more, until at least so many
// wait behind the next one and every ack has reached Redis. It returns that next
// one and how many it acked.
func fillBuffer(tb testing.TB, server *redistest.Server, topic, group string, out <-chan *message.Message, acks, least int) (held *message.Message, acked int) {
	tb.Helper()
	for {
		receivePayloads(tb, out, acks, 5*time.Second)
		acked += acks
		held = receive(tb, out, 5*time.Second)
		require.Equal(tb, strconv.Itoa(acked), string(held.Payload))
		id, _ := redisstream.EntryIDFromContext(held.Context())
		if becomes(func() bool { return bufferIsFull(tb, server, topic, group, id, least) }) {
			return held, acked
		}
		require.True(tb, held.Ack())
		acked, acks = acked+1, fillMore
	}
}

// fillMore is how many more messages to ack when the buffer is not full: it is
// sized for what was acked lately, and a busy machine may have stopped for a while.
const fillMore = 100

func becomes(condition func() bool) bool {
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return false
}

// bufferIsFull reports whether the entry in hand is the first that is pending,
// and enough others are behind it.
func bufferIsFull(tb testing.TB, server *redistest.Server, topic, group, inHand string, least int) bool {
	tb.Helper()
	pending := pendingEntries(tb, server, topic, group)
	return len(pending) > least && pending[0].id == inHand
}

func TestKilledConsumerHandsItsWorkOver(t *testing.T) {
	t.Parallel()
	const acked, total = 100, 300
	topic, client := newTopic(t), shared.Client(t)
	publish(t, newPublisher(t, client), topic, total)
	cmd, lines := helper{addr: shared.Addr(), topic: topic, group: "g", minIdle: shortIdle, acks: acked}.start(t)
	untilHung(t, lines)
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	killed := time.Now()

	heirs := newTally()
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: shortIdle}), topic)
	heirs.work(out, "heir", lasting(0))
	eventually(t, 10*time.Second, func() bool {
		return heirs.distinct() >= total-acked && pendingCount(t, shared, topic, "g") == 0
	}, "everything is handed over")
	require.Less(t, time.Since(killed), 4*shortIdle) // a machine that stalls looks like an outage, and then it takes once more as long
	for _, payload := range payloads(acked, total) {
		require.Equal(t, 1, heirs.handOuts[payload], "hand-outs of %s", payload)
		require.LessOrEqual(t, heirs.first[payload], int64(2), "delivery count of %s", payload)
	}
	for payload, n := range heirs.handOuts { // the last acks of the dead may not have arrived
		require.Equal(t, 1, n, "hand-outs of %s", payload)
	}
}

func TestSlowConsumersShareEvenly(t *testing.T) {
	t.Parallel()
	const total = 40
	topic, shares := newTopic(t), newTally()
	for i := range 4 {
		out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
		shares.work(out, strconv.Itoa(i), lasting(300*time.Millisecond))
	}
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	eventually(t, 15*time.Second, func() bool { return shares.distinct() == total }, "all are handed out")
	for i := range 4 {
		require.InDelta(t, 10, shares.of(strconv.Itoa(i)), 2, "share of consumer %d", i)
	}
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all are acked")
	shares.requireOnce(t, 0, total)
}

func TestReleasedEntriesAreTakenAtOnceByALiveConsumer(t *testing.T) {
	t.Parallel()
	const total = 1500
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	first := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"})
	held, acked := fillBuffer(t, shared, topic, "g", subscribe(t, first, topic), 300, 10)

	heirs := newTally()
	second := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"})
	heirs.work(subscribe(t, second, topic), "heir", lasting(0))
	require.True(t, held.Ack())
	require.NoError(t, first.Close())
	closed := time.Now()
	eventually(t, 10*time.Second, func() bool { return heirs.distinct() == total-acked-1 }, "the rest is handed out")
	require.Less(t, time.Since(closed), 5*time.Second)
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all are acked")
	heirs.requireOnce(t, acked+1, total)
	for payload, count := range heirs.first {
		require.Equal(t, int64(1), count, "delivery count of %s", payload)
	}
}

func TestReleasedEntriesComeBeforeNewOnesAndInOrder(t *testing.T) {
	t.Parallel()
	const total = 1500
	topic, publisher := newTopic(t), newPublisher(t, shared.Client(t))
	publish(t, publisher, topic, total)
	first := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"})
	held, acked := fillBuffer(t, shared, topic, "g", subscribe(t, first, topic), 300, 10)
	require.True(t, held.Nack()) // while it waits to come again, the end comes
	require.NoError(t, first.Close())
	publish(t, publisher, topic, 100)

	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	want := append(payloads(acked, total), payloads(0, 100)...)
	require.Equal(t, want, receivePayloads(t, out, len(want), 5*time.Second))
	requireNone(t, out, 100*time.Millisecond)
}

func TestVetoedEntriesStayAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	const vetoed, total = 6000, 6400
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	die(t, shared, topic, "g", "dead", total)
	ids := entryIDs(t, shared, topic)
	refused := map[string]bool{}
	for _, id := range ids[:vetoed] {
		refused[id] = true
	}
	var lifted atomic.Bool
	heirs := newTally()
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{
		ConsumerGroup: "g", MinIdle: shortIdle,
		ShouldClaim: func(stream string, e redisstream.PendingEntry) bool {
			if stream != topic || e.Consumer != "dead" || e.Idle < shortIdle || e.Deliveries != 1 {
				t.Errorf("asked about %s %+v", stream, e)
			}
			return lifted.Load() || !refused[e.ID]
		},
	}), topic)
	heirs.work(out, "heir", lasting(0))
	eventually(t, shortIdle+12*time.Second, func() bool { // sooner than a scan of everything gets there
		return heirs.distinct() == total-vetoed && pendingCount(t, shared, topic, "g") == vetoed
	}, "those behind are taken over")
	<-time.After(shortIdle) // more looks, and a scan of everything
	heirs.requireOnce(t, vetoed, total)
	left := pendingEntries(t, shared, topic, "g", "dead")
	require.Len(t, left, vetoed)
	for i, p := range left {
		require.Equal(t, ids[i], p.id)
		require.Equal(t, int64(1), p.count)
	}
	lifted.Store(true)
	eventually(t, 20*time.Second, func() bool { return heirs.distinct() == total }, "what is allowed at last is taken over")
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all are acked")
	heirs.requireOnce(t, 0, total)
}

func TestEntriesTrimmedInADeadConsumersListAreReportedAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 20)
	die(t, shared, topic, "g", "dead", 10)
	ids := entryIDs(t, shared, topic)
	shared.Do(t, "XTRIM", topic, "MINID", ids[3]) // 0, 1, 2
	shared.Do(t, "XDEL", topic, ids[5], ids[9])
	s, log := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: shortIdle})
	heirs := newTally()
	heirs.work(subscribe(t, s, topic), "heir", lasting(0))
	eventually(t, shortIdle+5*time.Second, func() bool {
		return heirs.distinct() == 15 && pendingCount(t, shared, topic, "g") == 0
	}, "the rest is taken over and nothing stays pending")
	for _, gone := range []string{"0", "1", "2", "5", "9"} {
		require.Zero(t, heirs.handOuts[gone], gone)
	}
	for _, id := range []string{ids[0], ids[1], ids[2], ids[5], ids[9]} {
		require.True(t, log.contains(id), "entry %s is in no line of the log", id)
	}
	require.True(t, log.contains("total:5"))
}

func TestEntriesTrimmedInFlightAreReportedAndHoldUpNobody(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 4)
	s, log := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: shortIdle})
	out := subscribe(t, s, topic)
	ids := entryIDs(t, shared, topic)

	msg := receive(t, out, 5*time.Second)
	shared.Do(t, "XDEL", topic, ids[0])
	eventually(t, 2*shortIdle, func() bool { return log.contains("total:1") && log.contains(ids[0]) }, "the loss is reported")
	require.NoError(t, msg.Context().Err(), "nobody else can have it, so its handler may finish")
	requireNone(t, out, 100*time.Millisecond) // it keeps its slot
	require.True(t, msg.Ack())

	msg = receive(t, out, 5*time.Second)
	require.Equal(t, "1", string(msg.Payload))
	shared.Do(t, "XDEL", topic, ids[1])
	require.True(t, msg.Nack()) // it can't come again
	msg = receive(t, out, 5*time.Second)
	require.Equal(t, "2", string(msg.Payload))
	require.True(t, log.contains("total:2"))
	shared.Do(t, "XDEL", topic, ids[2])
	require.True(t, msg.Ack())
	require.Equal(t, []string{"3"}, receivePayloads(t, out, 1, 5*time.Second))
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "nothing stays pending")
}

func TestBufferBehindAHungHandlerGoesToOthers(t *testing.T) {
	t.Parallel()
	const total = 1500
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	config := redisstream.SubscriberConfig{ConsumerGroup: "g"} // MinIdle is 30 s: nothing expires here
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	held, acked := fillBuffer(t, shared, topic, "g", out, 300, 10)
	heirs := newTally()
	heirs.work(subscribe(t, newSubscriber(t, shared, config), topic), "heir", lasting(0))
	eventually(t, 10*time.Second, func() bool { return heirs.distinct() == total-acked-1 }, "the buffer is handed over")
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "only what hangs is pending")
	heirs.requireOnce(t, acked+1, total)
	for payload, count := range heirs.first {
		require.Equal(t, int64(1), count, "delivery count of %s", payload)
	}
	require.True(t, held.Ack())
	requireNone(t, out, 100*time.Millisecond)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1000)
	require.NotEmpty(t, receivePayloads(t, out, 1, 5*time.Second), "who hung works again")
}

func TestBufferBehindAHungHandlerGoesToOneWhoComesLater(t *testing.T) {
	t.Parallel()
	const total = 1500
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	config := redisstream.SubscriberConfig{ConsumerGroup: "g"} // MinIdle is 30 s: nothing expires here
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	held, acked := fillBuffer(t, shared, topic, "g", out, 300, 10)
	eventually(t, 5*time.Second, func() bool {
		all := pendingEntries(t, shared, topic, "g")
		return all[len(all)-1].count == 0
	}, "the only consumer keeps its buffer")
	heirs := newTally()
	heirs.work(subscribe(t, newSubscriber(t, shared, config), topic), "heir", lasting(0))
	eventually(t, 10*time.Second, func() bool { return heirs.distinct() == total-acked-1 }, "the buffer is handed over")
	heirs.requireOnce(t, acked+1, total)
	require.True(t, held.Ack())
}

func TestOnlyConsumerKeepsTheBufferBehindAHungHandler(t *testing.T) {
	t.Parallel()
	const total = 1500
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: shortIdle}), topic)
	held, acked := fillBuffer(t, shared, topic, "g", out, 300, 10)
	me := pendingEntries(t, shared, topic, "g")[0].consumer
	deadline := time.Now().Add(2*shortIdle + time.Second)
	for time.Now().Before(deadline) {
		all := pendingEntries(t, shared, topic, "g")
		require.GreaterOrEqual(t, len(all), 10)
		for _, p := range all {
			require.Equal(t, me, p.consumer)
			require.Less(t, p.idle, shortIdle, "it is not renewed")
		}
		<-time.After(50 * time.Millisecond)
	}
	require.True(t, held.Ack())
	for i := acked + 1; i < total; i++ {
		msg := receive(t, out, 5*time.Second)
		require.Equal(t, strconv.Itoa(i), string(msg.Payload))
		count, _ := redisstream.DeliveryCountFromContext(msg.Context())
		require.Equal(t, int64(1), count, fmt.Sprint("delivery count of ", i))
		require.True(t, msg.Ack())
	}
}

// The heir has never received anything, and nothing is left for it to read: it has
// to be seen nevertheless.
func TestBufferBehindAHungHandlerGoesToOneWhoNeverReceivedAnything(t *testing.T) {
	t.Parallel()
	const total, left = 600, 50
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	config := redisstream.SubscriberConfig{ConsumerGroup: "g"} // MinIdle is 30 s: nothing expires here
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	var held *message.Message
	for held == nil {
		publish(t, publisher, topic, total)
		receiveAndAck(t, out, total-left, 5*time.Second)
		held = receive(t, out, 5*time.Second)
		if !becomes(func() bool { return pendingCount(t, shared, topic, "g") == left }) { // the rest was not read ahead
			require.True(t, held.Ack())
			receiveAndAck(t, out, left-1, 5*time.Second)
			held = nil
		}
	}
	heirs := newTally()
	heirs.work(subscribe(t, newSubscriber(t, shared, config), topic), "heir", lasting(0))
	eventually(t, 5*time.Second, func() bool { return heirs.distinct() == left-1 }, "the buffer is handed over")
	require.True(t, held.Ack())
}

// Somebody who has just died looks alive, so what waits behind a slow handler is given
// back. Nobody takes it.
func TestOrderIsKeptWhenABufferIsGivenBackToNobody(t *testing.T) {
	t.Parallel()
	const n = 60
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	publish(t, publisher, topic, n)
	shared.Do(t, "XGROUP", "CREATE", topic, "g", "0")
	shared.Do(t, "XGROUP", "CREATECONSUMER", topic, "g", "dead")
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second}), topic)
	for i := range 2 * n {
		msg := receive(t, out, healTime)
		require.Equal(t, strconv.Itoa(i%n), string(msg.Payload))
		if i == n/2 {
			eventually(t, healTime, func() bool {
				return slices.Contains(consumers(t, shared, topic, "g"), "~released")
			}, "what waits is given back")
			publish(t, publisher, topic, n)
		}
		require.True(t, msg.Ack())
	}
}

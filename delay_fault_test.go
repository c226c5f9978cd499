package redisstream_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestNackOfAMessageThatAnotherConsumerTookDelaysNothing(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 2)
	config := returning(0)
	config.MinIdle = 30 * time.Second
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	msg := receive(t, out, 5*time.Second)
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	shared.Do(t, "XCLAIM", topic, "g", "thief", "0", id, "JUSTID")
	require.True(t, msg.Nack())
	require.Equal(t, payloads(1, 2), receivePayloads(t, out, 1, 5*time.Second), "its slot is free")
	requireNone(t, out, 2*time.Second)
	left := pendingEntries(t, shared, topic, "g")
	require.Len(t, left, 1)
	require.Equal(t, "thief", left[0].consumer)
}

// Another library may have taken what was there for later. An empty consumer must
// not stay: that library could remove it while something is given back to it.
func TestJanitorRemovesTheConsumerOfDelayedEntriesWhenItIsEmpty(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	config := returning(time.Hour)
	config.MinIdle, config.ConsumerTimeout = time.Second, 4*time.Second
	first := newSubscriber(t, shared, config)
	nackUntilDelayed(t, topic, receive(t, subscribe(t, first, topic), 5*time.Second))
	require.NoError(t, first.Close())
	shared.Do(t, "XAUTOCLAIM", topic, "g", "of another library", "60000", "0")
	require.Contains(t, consumers(t, shared, topic, "g"), "~delayed")
	config.ShouldClaim = func(string, redisstream.PendingEntry) bool { return false }
	subscribe(t, newSubscriber(t, shared, config), topic)
	eventually(t, config.ConsumerTimeout+200*time.Millisecond, func() bool { return !slices.Contains(consumers(t, shared, topic, "g"), "~delayed") }, "it is removed though it was not silent for long")
}

func TestReturnedMessageThatIsTrimmedIsReportedAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const wait = time.Second
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 2)
	ids := entryIDs(t, shared, topic)
	s, l := newLoggedSubscriber(t, shared, returning(wait))
	out := subscribe(t, s, topic)
	nackUntilDelayed(t, topic, receive(t, out, 5*time.Second))
	nacked := time.Now()
	nackUntilDelayed(t, topic, receive(t, out, 5*time.Second))
	shared.Do(t, "XDEL", topic, ids[0])
	msg := receiveDue(t, out, nacked, wait)
	require.Equal(t, "1", string(msg.Payload))
	require.True(t, msg.Ack())
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "nothing stays pending")
	require.True(t, l.contains(ids[0]))
	require.NotContains(t, consumers(t, shared, topic, "g"), "~delayed")
}

// Nothing that was handed out and not acked is lost with the group, if somebody
// has seen it waiting.
func TestReturnedMessageIsNotLostWithItsGroup(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	config := returning(time.Hour)
	first := newSubscriber(t, shared, config)
	nackUntilDelayed(t, topic, receive(t, subscribe(t, first, topic), 5*time.Second))
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	requireNone(t, out, 2500*time.Millisecond) // both have looked
	shared.Do(t, "XGROUP", "DESTROY", topic, "g")
	require.NoError(t, first.Close())
	msg := receive(t, out, 10*time.Second)
	requireCount(t, msg, 2)
	require.True(t, msg.Ack())
	requireNone(t, out, 2*time.Second)
}

// A command without an answer may have been executed.
func TestReturnedMessageOfAFrozenServerComesOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := returning(0)
	config.MinIdle = 9 * time.Second
	out := subscribe(t, newSubscriber(t, server, config), "orders")
	publish(t, newPublisher(t, server.Client(t)), "orders", 2)
	msg := receive(t, out, 5*time.Second)
	server.Pause(t)
	require.True(t, msg.Nack())
	requireNone(t, out, 4*time.Second) // several attempts; the next message waits for its slot
	server.Resume(t)
	counts := map[string]int64{}
	for range 2 {
		msg := receive(t, out, 15*time.Second)
		counts[string(msg.Payload)], _ = redisstream.DeliveryCountFromContext(msg.Context())
		require.True(t, msg.Ack())
	}
	require.Equal(t, map[string]int64{"0": 2, "1": 1}, counts)
	requireNone(t, out, 2*time.Second)
}

// The wait of a message that is nacked while its consumer ends is kept as well.
func TestDelayBeginsWhileItsConsumerEnds(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", NackPolicy: redisstream.ReturnToGroup}
	first := newSubscriber(t, shared, config)
	ending := subscribe(t, first, topic)
	msg := receive(t, ending, healTime)
	second := subscribe(t, newSubscriber(t, shared, config), topic)
	closed := make(chan error, 1)
	go func() { closed <- first.Close() }()
	eventually(t, healTime, func() bool {
		_, err := first.Subscribe(context.Background(), topic)
		return errors.Is(err, redisstream.ErrSubscriberClosed)
	}, "it is closing")
	_ = redisstream.RetryAfter(msg.Context(), 6*time.Second, errBoom)
	require.True(t, msg.Nack())
	require.NoError(t, <-closed)
	requireNone(t, second, 5*time.Second)
	require.True(t, receive(t, second, healTime).Ack())
}

// They are listed a page at a time, and the restored group starts behind them.
func TestManyReturnedMessagesAreNotLostWithTheirGroup(t *testing.T) {
	t.Parallel()
	const n = 900
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	want := publish(t, publisher, topic, n)
	config := returning(time.Hour)
	config.MaxInFlight = n
	s, l := newLoggedSubscriber(t, shared, config)
	out := subscribe(t, s, topic)
	for range n {
		require.True(t, receive(t, out, healTime).Nack())
	}
	eventually(t, healTime, func() bool { return len(delayed(t, topic)) == n }, "all are delayed")
	for range 5 { // what comes again early was found by a sweep
		extra := publish(t, publisher, topic, 1)[0]
		nackFor(t, topic, receive(t, out, healTime), 10*time.Millisecond)
		msg := receive(t, out, healTime)
		require.Equal(t, extra, msg.UUID)
		require.True(t, msg.Ack())
	}
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == n }, "only they are pending")
	shared.Do(t, "XGROUP", "DESTROY", topic, "g")
	ackUntilSeen(t, out, want, healTime)
	require.True(t, l.contains("created again"))
}

package redisstream_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// leaseGrace is how long a handler has after the end of its message's context.
const leaseGrace = time.Second

// leased is the configuration of a member whose handlers may hang.
func leased(most time.Duration) redisstream.SubscriberConfig {
	return redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: shortIdle, MaxLease: most, NackBackoff: func(int) time.Duration { return 0 }}
}

// requireExpires waits until a message that was received at a time is taken from
// its handler.
func requireExpires(tb testing.TB, msg *message.Message, received time.Time, most time.Duration) {
	tb.Helper()
	require.ErrorIs(tb, heldFor(msg, most+5*time.Second), redisstream.ErrLeaseExpired)
	require.ErrorIs(tb, msg.Context().Err(), context.Canceled)
	held := time.Since(received)
	require.GreaterOrEqual(tb, held, most-50*time.Millisecond, "it was the handler's for so long")
	require.Less(tb, held, most+1500*time.Millisecond)
}

func TestHungHandlerLosesItsMessageAndKeepsItsSlot(t *testing.T) {
	t.Parallel()
	const most = 1500 * time.Millisecond
	topic, publisher := newTopic(t), newPublisher(t, shared.Client(t))
	publish(t, publisher, topic, 1)
	first, l := newLoggedSubscriber(t, shared, leased(most))
	out := subscribe(t, first, topic)
	msg := receive(t, out, 5*time.Second)
	received := time.Now()
	other := subscribe(t, newSubscriber(t, shared, leased(0)), topic)
	requireExpires(t, msg, received, most)
	requireNone(t, other, leaseGrace/2) // the handler may still settle it

	again := receive(t, other, leaseGrace+2*time.Second)
	require.Equal(t, msg.UUID, again.UUID)
	requireCount(t, again, 2)
	require.True(t, l.contains("ERROR A handler has had a message for too long"))
	publish(t, publisher, topic, 1)
	requireNone(t, out, 2*time.Second) // two handlers at once would be more than may be
	require.NoError(t, again.Context().Err(), "this one's is not over")

	require.True(t, again.Ack())
	require.True(t, receive(t, other, 5*time.Second).Ack(), "the next one goes to who has a slot")
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "both are acked")
	require.True(t, msg.Ack(), "it is harmless")
	all := either(t, out, other)
	uuids := publish(t, publisher, topic, 10)
	requireOnce(t, ackUntilSeen(t, all, uuids, 5*time.Second))
	require.Empty(t, lettersOf(t, topic))
}

// Its own slot stays the hung handler's; the message goes to another slot.
func TestHungHandlersMessageMayComeToTheSameSubscription(t *testing.T) {
	t.Parallel()
	const most = time.Second
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	config := leased(most)
	config.MaxInFlight = 2
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	msg := receive(t, out, 5*time.Second)
	requireExpires(t, msg, time.Now(), most)
	again := receive(t, out, leaseGrace+dueTime)
	require.Equal(t, msg.UUID, again.UUID)
	requireCount(t, again, 2)
	require.True(t, msg.Nack(), "it is harmless")
	require.True(t, again.Ack())
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it is acked")
	requireNone(t, out, 2*time.Second)
}

// What it has lost is not given up once more.
func TestCloseDoesNotTouchWhatAHungHandlerLost(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	config := leased(time.Second)
	config.CloseTimeout = 100 * time.Millisecond
	first := newSubscriber(t, shared, config)
	msg := receive(t, subscribe(t, first, topic), 5*time.Second)
	other := subscribe(t, newSubscriber(t, shared, leased(0)), topic)
	again := receive(t, other, 10*time.Second)
	start := time.Now()
	require.NoError(t, first.Close())
	require.Less(t, time.Since(start), config.CloseTimeout+3*time.Second)
	require.ErrorIs(t, context.Cause(msg.Context()), redisstream.ErrLeaseExpired)
	requireNone(t, other, 2*time.Second)
	require.NoError(t, again.Context().Err())
	require.True(t, again.Ack())
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it is acked")
}

func TestHandlerMaySettleItsMessageJustAfterItsLease(t *testing.T) {
	t.Parallel()
	const most = time.Second
	for name, c := range map[string]struct {
		settle func(msg *message.Message) bool
		count  int64 // of the next delivery; 0 = none
	}{
		"ack": {(*message.Message).Ack, 0}, "nack": {(*message.Message).Nack, 2},
		"drop": {func(msg *message.Message) bool {
			_ = redisstream.Drop(msg.Context(), errRefused)
			return msg.Nack()
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, 2)
			config := leased(most)
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			msg := receive(t, out, 5*time.Second)
			requireExpires(t, msg, time.Now(), most)
			require.True(t, c.settle(msg))
			next := receive(t, out, 500*time.Millisecond)
			if c.count > 0 {
				require.Equal(t, "0", string(next.Payload), "it keeps its place")
				requireCount(t, next, c.count)
				require.True(t, next.Ack())
				next = receive(t, out, 5*time.Second)
			}
			require.Equal(t, "1", string(next.Payload))
			require.True(t, next.Ack())
			eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "both are acked")
			requireNone(t, out, leaseGrace)
		})
	}
}

// Each delivery has a lease of its own, however many there are.
func TestLeaseIsThatOfOneDelivery(t *testing.T) {
	t.Parallel()
	const most = time.Second
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	out := subscribe(t, newSubscriber(t, shared, leased(most)), topic)
	for n := int64(1); n <= 6; n++ {
		msg := receive(t, out, 5*time.Second)
		requireCount(t, msg, n)
		require.NoError(t, heldFor(msg, most*2/5))
		require.True(t, msg.Nack())
	}
	msg := receive(t, out, 5*time.Second)
	requireExpires(t, msg, time.Now(), most)
	require.True(t, msg.Ack())
}

// A nacked message that waits in its place is with no handler.
func TestBackoffInPlaceIsNoLease(t *testing.T) {
	t.Parallel()
	const wait = 4 * time.Second
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	config := leased(time.Second)
	config.NackBackoff = func(int) time.Duration { return wait }
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	config.MaxLease = 0
	other := subscribe(t, newSubscriber(t, shared, config), topic)
	both := either(t, out, other)
	msg := receive(t, both, 5*time.Second)
	nacked := time.Now()
	require.True(t, msg.Nack())
	msg = receiveDue(t, both, nacked, wait)
	requireCount(t, msg, 2)
	require.True(t, msg.Ack())
}

// Nobody has a message that waits to be received.
func TestLeaseBeginsWhenAMessageIsReceived(t *testing.T) {
	t.Parallel()
	const most = time.Second
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	out := subscribe(t, newSubscriber(t, shared, leased(most)), topic)
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "it is read")
	<-time.After(most + leaseGrace + time.Second)
	msg := receive(t, out, 5*time.Second)
	requireCount(t, msg, 1)
	requireExpires(t, msg, time.Now(), most)
	require.True(t, msg.Ack())
}

func TestHangsCountAsFailures(t *testing.T) {
	t.Parallel()
	const most = time.Second
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	config := leased(most)
	config.MaxInFlight, config.MaxDeliveries = 4, 2
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	first := receive(t, out, 5*time.Second)
	second := receive(t, out, most+leaseGrace+5*time.Second)
	requireCount(t, second, 2)
	id, _ := redisstream.EntryIDFromContext(second.Context())
	letter := awaitOnlyLetter(t, topic, id, most+leaseGrace+5*time.Second)
	require.Equal(t, "2", letter[redisstream.DeadDeliveriesField])
	require.ErrorIs(t, context.Cause(second.Context()), redisstream.ErrLeaseExpired)
	require.True(t, first.Nack())
	require.True(t, second.Nack(), "too late")
	requireNone(t, out, time.Second)
	require.Len(t, lettersOf(t, topic), 1)
}

func TestQuickHandlersDoNotNoticeALease(t *testing.T) {
	t.Parallel()
	const total = 500
	topic, got := newTopic(t), newTally()
	config := leased(time.Second)
	config.MaxInFlight = 8
	s, l := newLoggedSubscriber(t, shared, config)
	got.work(subscribe(t, s, topic), "handler", lasting(50*time.Millisecond))
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	eventually(t, 20*time.Second, func() bool { return got.distinct() == total && pendingCount(t, shared, topic, "g") == 0 }, "all are acked")
	got.requireOnce(t, 0, total)
	require.Empty(t, l.shared.errors)
}

// The work is done, and nobody else has it.
func TestHandlerMayAckAfterItsLease(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MaxLease: time.Second}), topic)
	msg := receive(t, out, healTime)
	eventually(t, healTime, func() bool { return slices.Contains(consumers(t, shared, topic, "g"), "~released") }, "it was taken away")
	require.True(t, msg.Ack())
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it is settled")
	requireNone(t, out, 2*time.Second)
}

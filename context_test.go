package redisstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

type valueKey struct{}

// children are contexts made from a message's.
func children(tb testing.TB, msg *message.Message) map[string]context.Context {
	tb.Helper()
	early, cancelEarly := context.WithCancel(msg.Context())
	timed, cancelTimed := context.WithTimeout(context.WithValue(msg.Context(), valueKey{}, 2), time.Hour)
	tb.Cleanup(cancelEarly)
	tb.Cleanup(cancelTimed)
	return map[string]context.Context{"own": msg.Context(), "WithCancel": early, "WithTimeout": timed}
}

// requireEnds fails unless the contexts end in time, with the cause.
func requireEnds(tb testing.TB, contexts map[string]context.Context, d time.Duration, cause error) {
	tb.Helper()
	deadline := time.After(d)
	for name, ctx := range contexts {
		select {
		case <-ctx.Done():
		case <-deadline:
			require.FailNow(tb, "the context goes on", name)
		}
		require.ErrorIs(tb, ctx.Err(), context.Canceled, name)
		require.ErrorIs(tb, context.Cause(ctx), cause, name)
	}
}

func TestMessageContextHasTheValuesOfSubscribe(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, group string) {
		topic := newTopic(t)
		before := time.Now()
		id, ok := shared.Do(t, "XADD", topic, "*", redisstream.UUIDField, "u").(string)
		require.True(t, ok)
		s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group, Start: redisstream.StartOldest()})
		out, err := s.Subscribe(context.WithValue(context.Background(), valueKey{}, 1), topic)
		require.NoError(t, err)
		for count := range int64(3) {
			msg := receive(t, out, healTime)
			derived := children(t, msg)
			for name, ctx := range derived {
				got, ok := redisstream.EntryIDFromContext(ctx)
				require.True(t, ok, name)
				require.Equal(t, id, got, name)
				got, ok = redisstream.StreamFromContext(ctx)
				require.True(t, ok, name)
				require.Equal(t, topic, got, name)
				deliveries, ok := redisstream.DeliveryCountFromContext(ctx)
				require.True(t, ok, name)
				require.Equal(t, count+1, deliveries, name)
				at, ok := redisstream.EntryTimeFromContext(ctx)
				require.True(t, ok, name)
				require.WithinDuration(t, before, at, 2*time.Second, name)
			}
			require.Equal(t, 1, derived["own"].Value(valueKey{}))
			require.Equal(t, 2, derived["WithTimeout"].Value(valueKey{}))
			require.NoError(t, msg.Context().Err())
			_, limited := msg.Context().Deadline()
			require.False(t, limited)
			require.True(t, msg.Nack())
		}
		require.True(t, receive(t, out, healTime).Ack())
	})
}

func TestOtherContextsKnowNothingOfAnEntry(t *testing.T) {
	t.Parallel()
	_, ok := redisstream.EntryIDFromContext(t.Context())
	require.False(t, ok)
	_, ok = redisstream.StreamFromContext(t.Context())
	require.False(t, ok)
	_, ok = redisstream.DeliveryCountFromContext(t.Context())
	require.False(t, ok)
	_, ok = redisstream.EntryTimeFromContext(t.Context())
	require.False(t, ok)
}

func TestMessageContextEndsWithItsAckOrNack(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, group string) {
		topic := newTopic(t)
		publisher := newPublisher(t, shared.Client(t))
		s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group, Start: redisstream.StartOldest()})
		publish(t, publisher, topic, 3)
		out := subscribe(t, s, topic)

		msg := receive(t, out, healTime)
		contexts := children(t, msg)
		require.True(t, msg.Nack())
		requireEnds(t, contexts, time.Second, context.Canceled)

		again := receive(t, out, healTime)
		require.Equal(t, msg.UUID, again.UUID)
		contexts = children(t, again)
		require.NoError(t, again.Context().Err(), "the new delivery has a context of its own")
		require.True(t, again.Ack())
		requireEnds(t, contexts, time.Second, context.Canceled)
		id, _ := redisstream.EntryIDFromContext(again.Context())
		require.NotEmpty(t, id, "an ended context still knows its entry")

		late := receive(t, out, healTime)
		require.True(t, late.Ack())
		eventually(t, time.Second, func() bool { return late.Context().Err() != nil }, "it ends without anybody who waits")
		requireEnds(t, children(t, late), time.Second, context.Canceled)
	})
}

func TestMessageContextEndsWhenAnotherConsumerTakesTheMessage(t *testing.T) {
	t.Parallel()
	const minIdle = 2 * time.Second
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	uuids := publish(t, publisher, topic, 2)
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: minIdle}), topic)
	msg := receive(t, out, healTime)
	contexts := children(t, msg)
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	shared.Do(t, "XCLAIM", topic, "g", "thief", "0", id)
	requireEnds(t, contexts, minIdle/3+time.Second, redisstream.ErrLeaseLost)

	requireNone(t, out, 500*time.Millisecond) // its handler still runs: the slot is taken
	require.True(t, msg.Nack())
	require.Equal(t, uuids[1], receiveAndAck(t, out, 1, healTime)[0], "the lost one does not come again")
	require.Equal(t, id, pendingOf(t, topic, "thief"))
}

// pendingOf is the ID of the only entry that is pending for a consumer.
func pendingOf(tb testing.TB, topic, consumer string) string {
	tb.Helper()
	list, ok := shared.Do(tb, "XPENDING", topic, "g", "-", "+", "10", consumer).([]any)
	require.True(tb, ok)
	require.Len(tb, list, 1)
	item, ok := list[0].([]any)
	require.True(tb, ok)
	id, ok := item[0].(string)
	require.True(tb, ok)
	return id
}

func TestBufferedEntryThatAnotherConsumerTookIsNotHandedOut(t *testing.T) {
	t.Parallel()
	const minIdle = 2 * time.Second
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	publish(t, publisher, topic, 1000)
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: minIdle}), topic)
	held, _ := holdWithBuffer(t, shared, out, topic, 5)
	id, _ := redisstream.EntryIDFromContext(held.Context())
	list, ok := shared.Do(t, "XPENDING", topic, "g", "("+id, "+", "3").([]any)
	require.True(t, ok)
	stolen := map[string]bool{}
	for _, item := range list {
		fields, ok := item.([]any)
		require.True(t, ok)
		next, ok := fields[0].(string)
		require.True(t, ok)
		shared.Do(t, "XCLAIM", topic, "g", "thief", "0", next)
		stolen[next] = true
	}
	require.Len(t, stolen, 3)
	require.NoError(t, heldFor(held, minIdle/3+time.Second))
	require.True(t, held.Ack())
	for range 50 {
		msg := receive(t, out, healTime)
		id, _ := redisstream.EntryIDFromContext(msg.Context())
		require.False(t, stolen[id], "somebody else has it")
		require.True(t, msg.Ack())
	}
}

// A message waits for its caller while its consumer is cut off and another one
// takes it.
func TestOfferedMessageThatMayBeLostIsNotHandedOut(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	proxy := redistest.NewProxy(t, shared.Addr())
	config := redisstream.SubscriberConfig{Client: shared.Client(t, through(proxy)), ConsumerGroup: "g", MinIdle: shortIdle}
	first := subscribe(t, newSubscriber(t, shared, config), topic)
	uuid := publish(t, newPublisher(t, shared.Client(t)), topic, 1)[0]
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "it is read")
	proxy.Block()
	config.Client = nil
	second := subscribe(t, newSubscriber(t, shared, config), topic)
	msg := receive(t, second, shortIdle+5*time.Second)
	require.Equal(t, uuid, msg.UUID)
	requireNone(t, first, time.Second)
	proxy.Unblock()
	requireNone(t, first, 2*time.Second)
	require.True(t, msg.Ack())
}

// The same when the group was created anew, and the other one got it there.
func TestOfferedMessageOfALostGroupIsNotHandedOut(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	s, log := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * shortIdle})
	out := subscribe(t, s, topic)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "it is read")
	shared.Do(t, "EVAL", `redis.call('XGROUP', 'DESTROY', KEYS[1], 'g')
		redis.call('XGROUP', 'CREATE', KEYS[1], 'g', '0')
		redis.call('XREADGROUP', 'GROUP', 'g', 'other', 'STREAMS', KEYS[1], '>')
		return redis.call('SET', KEYS[2], 'of another')`, "2", topic, "{"+topic+"}:mark:g")
	eventually(t, 5*time.Second, func() bool { return log.contains("Lost an entry") }, "it is found to be lost when it is renewed")
	requireNone(t, out, 500*time.Millisecond)
}

func TestMessageContextOfATrimmedEntryEndsWithTheSubscription(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	s, log := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: time.Second, CloseTimeout: 200 * time.Millisecond})
	out := subscribe(t, s, topic)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	held := receive(t, out, 5*time.Second)
	ctx := held.Context()
	shared.Do(t, "XTRIM", topic, "MAXLEN", "0")
	eventually(t, 5*time.Second, func() bool { return log.contains("trimmed or deleted") }, "it is noticed")
	require.NoError(t, ctx.Err(), "nobody else can have it: its handler may finish")
	require.NoError(t, s.Close())
	require.ErrorIs(t, context.Cause(ctx), redisstream.ErrSubscriberClosed)
}

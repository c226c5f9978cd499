package redisstream_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// What was nacked has not killed its process: it need not be alone the last time.
func TestNackedMessagesDoNotWaitForEachOthersLastChance(t *testing.T) {
	t.Parallel()
	const total = 4
	for name, policy := range map[string]redisstream.NackPolicy{"in place": redisstream.RedeliverInPlace, "to group": redisstream.ReturnToGroup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, total)
			config := atMost(2)
			config.MaxInFlight, config.NackPolicy = total, policy
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			var msgs []*message.Message
			for range total {
				msgs = append(msgs, receive(t, out, 5*time.Second))
			}
			for _, msg := range msgs {
				require.True(t, msg.Nack())
			}
			for range total {
				requireCount(t, receive(t, out, dueTime), 2)
			}
		})
	}
}

// What a dead consumer had in hand may have killed it. Such messages are not with
// handlers at once when they have one delivery left, but they must not wait for
// ever behind one that hangs, while others have time.
func TestLastChancesDoNotWaitForAHungHandler(t *testing.T) {
	t.Parallel()
	const total = 4
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	publish(t, publisher, topic, total)
	die(t, shared, topic, "g", "dead", total)
	config := atMost(2)
	config.MaxInFlight, config.CloseTimeout = total, 100*time.Millisecond
	first := subscribe(t, newSubscriber(t, shared, config), topic)
	hung := receive(t, first, 10*time.Second)
	requireCount(t, hung, 2)
	requireNone(t, first, 200*time.Millisecond)
	other := subscribe(t, newSubscriber(t, shared, config), topic)
	for n := 1; n < total; n++ {
		msg := receive(t, other, 10*time.Second)
		require.NotEqual(t, hung.UUID, msg.UUID)
		requireCount(t, msg, 2)
		require.True(t, msg.Ack())
	}
	both := either(t, first, other)
	requireOnce(t, ackUntilSeen(t, both, publish(t, publisher, topic, 20), 5*time.Second))
	require.True(t, hung.Ack())
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all are acked")
	require.Empty(t, lettersOf(t, topic))
}

// With a limit for handlers, one that hangs does not keep others from their last
// chance, even if nobody else is there to have it.
func TestLastChanceEndsWithItsLease(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 2)
	die(t, shared, topic, "g", "dead", 2)
	config := atMost(2)
	config.MaxInFlight, config.MaxLease, config.CloseTimeout = 2, time.Second, 100*time.Millisecond
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	hung := receive(t, out, 10*time.Second)
	msg := receive(t, out, 10*time.Second)
	require.NotEqual(t, hung.UUID, msg.UUID)
	require.True(t, msg.Ack())
	letter := awaitLetter(t, deadLettersOf(t, topic, "g"))
	id, _ := redisstream.EntryIDFromContext(hung.Context())
	require.Equal(t, id, letter.EntryID)
}

package redisstream_test

import (
	"bytes"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// large is a payload that is not copied for its handler.
func large() []byte { return bytes.Repeat([]byte("payload "), 16<<10) }

// spoil does what a handler may do to its message, and nacks it.
func spoil(t *testing.T, msg *message.Message) {
	t.Helper()
	require.Equal(t, large(), []byte(msg.Payload))
	clear(msg.Payload)
	require.True(t, msg.Nack())
}

func TestLargeMessageComesAgainAsItWas(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]redisstream.SubscriberConfig{
		"group":           {ConsumerGroup: "g"},
		"many in flight":  {ConsumerGroup: "g", MaxInFlight: 8},
		"return to group": {ConsumerGroup: "g", NackPolicy: redisstream.ReturnToGroup},
		"fan-out":         {Start: redisstream.StartOldest()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			require.NoError(t, newPublisher(t, shared.Client(t)).Publish(topic, message.NewMessage("1", large()), message.NewMessage("2", large())))
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			for range 4 { // each twice, or one after the other
				spoil(t, receive(t, out, healTime))
			}
			for range 2 {
				msg := receive(t, out, healTime)
				require.Equal(t, large(), []byte(msg.Payload))
				require.True(t, msg.Ack())
			}
		})
	}
}

func TestLargeMessageEndsAsADeadLetterAsItWas(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	require.NoError(t, newPublisher(t, shared.Client(t)).Publish(topic, message.NewMessage("1", large())))
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MaxDeliveries: 2}), topic)
	for range 2 {
		spoil(t, receive(t, out, healTime))
	}
	eventually(t, healTime, func() bool { return len(entriesOf(t, "{"+topic+"}:dead:g")) == 1 }, "the letter arrives")
	require.Equal(t, string(large()), asMap(entriesOf(t, "{"+topic+"}:dead:g")[0])["payload"])
}

func TestLargeMessageThatIsTrimmedWhileItIsInHandHoldsUpNothing(t *testing.T) {
	t.Parallel()
	topic, log := newTopic(t), newLog(t)
	ctx, receipt := redisstream.WithReceipt(t.Context())
	doomed := message.NewMessageWithContext(ctx, "doomed", large())
	require.NoError(t, newPublisher(t, shared.Client(t)).Publish(topic, doomed, message.NewMessage("next", large())))
	s, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: shared.Client(t), ConsumerGroup: "g"}, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	out := subscribe(t, s, topic)
	msg := receive(t, out, healTime)
	shared.Do(t, "XDEL", topic, receipt.EntryIDs()[0])
	spoil(t, msg)
	msg = receive(t, out, healTime)
	require.Equal(t, "next", msg.UUID)
	require.True(t, msg.Ack())
	require.True(t, log.contains("Entries were trimmed or deleted before they were acked"))
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it is not pending any more")
}

// Nothing but the subscription has what is trimmed while a handler of fan-out has it.
func TestLargeMessageOfFanOutComesAgainThoughItIsTrimmed(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	require.NoError(t, newPublisher(t, shared.Client(t)).Publish(topic, message.NewMessage("1", large())))
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{Start: redisstream.StartOldest()}), topic)
	msg := receive(t, out, healTime)
	shared.Do(t, "XTRIM", topic, "MAXLEN", "0")
	spoil(t, msg)
	require.Equal(t, large(), []byte(receive(t, out, healTime).Payload))
}

func TestLargeMessageWaitsUntilItCanBeReadAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	require.NoError(t, newPublisher(t, server.Client(t)).Publish("orders", message.NewMessage("1", large())))
	out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: "g"}), "orders")
	msg := receive(t, out, healTime)
	server.Do(t, "ACL", "SETUSER", "default", "-xrange")
	spoil(t, msg)
	requireNone(t, out, shortIdle)
	server.Do(t, "ACL", "SETUSER", "default", "+xrange")
	msg = receive(t, out, healTime)
	require.Equal(t, large(), []byte(msg.Payload))
	require.True(t, msg.Ack())
}

package redisstream_test

import (
	"strconv"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// stuckUnmarshaler takes its time for an entry.
type stuckUnmarshaler struct {
	redisstream.DefaultMarshaler

	payload string
	until   <-chan struct{}
}

func (u stuckUnmarshaler) Unmarshal(entry redisstream.Entry) (*message.Message, error) {
	msg, err := u.DefaultMarshaler.Unmarshal(entry)
	if err == nil && string(msg.Payload) == u.payload {
		<-u.until
	}
	return msg, err
}

func TestAckIsNoticedWhileAnotherMessageIsUnmarshaled(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	const before = 500 // so many that some come one right after the other
	publish(t, newPublisher(t, shared.Client(t)), topic, before+1)
	until := make(chan struct{})
	unmarshaler := stuckUnmarshaler{payload: strconv.Itoa(before), until: until}
	s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MaxInFlight: 10 * before, Unmarshaler: unmarshaler})
	out := subscribe(t, s, topic)
	var msgs []*message.Message
	for range before {
		msgs = append(msgs, receive(t, out, healTime))
	}
	for _, msg := range msgs {
		require.True(t, msg.Ack())
	}
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "all are acked")
	close(until)
	receiveAndAck(t, out, 1, healTime)
}

func isPending(t *testing.T, topic, id string) bool {
	t.Helper()
	list, ok := shared.Do(t, "XPENDING", topic, "g", id, id, "1").([]any)
	return !ok || len(list) > 0
}

// The first message stays with its handler, and the caller takes no more for a while.
func TestAckIsNoticedWhateverElseWaits(t *testing.T) {
	t.Parallel()
	for name, published := range map[string]int{"nothing is left": 3, "more is on offer": 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, published)
			out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MaxInFlight: 8}), topic)
			var msgs []*message.Message
			for range 3 {
				msgs = append(msgs, receive(t, out, healTime))
			}
			for _, msg := range msgs[1:] {
				require.True(t, msg.Ack())
				id, _ := redisstream.EntryIDFromContext(msg.Context())
				eventually(t, healTime, func() bool { return !isPending(t, topic, id) }, "it is acked")
			}
			require.True(t, msgs[0].Nack())
			again := receive(t, out, healTime)
			for again.UUID != msgs[0].UUID { // the one on offer comes first
				require.True(t, again.Ack())
				again = receive(t, out, healTime)
			}
			require.True(t, again.Ack())
		})
	}
}

package redisstream_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// A message that fails is handed out again before those behind it, and its
// back-off grows with all the deliveries that it had, whoever had them.
func TestBackoffInPlaceGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	const wait = 300 * time.Millisecond
	topic := newTopic(t)
	asked := make(chan int, 10)
	config := redisstream.SubscriberConfig{
		ConsumerGroup: "g", NackPolicy: redisstream.RedeliverInPlace,
		NackBackoff: func(attempt int) time.Duration { asked <- attempt; return wait },
	}
	publish(t, newPublisher(t, shared.Client(t)), topic, 2)
	for restart := range 2 {
		s := newSubscriber(t, shared, config)
		out := subscribe(t, s, topic)
		for i := range 2 {
			attempt := 2*restart + i + 1
			start := time.Now()
			msg := receive(t, out, 5*time.Second)
			require.Equal(t, "0", string(msg.Payload), "it keeps its place")
			require.True(t, i == 0 || time.Since(start) >= wait-100*time.Millisecond, "it comes after its back-off")
			requireCount(t, msg, int64(attempt))
			require.True(t, msg.Nack())
			require.Equal(t, attempt, <-asked)
		}
		require.NoError(t, s.Close()) // in the middle of a back-off
	}
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	msg := receive(t, out, 5*time.Second)
	requireCount(t, msg, 5)
	require.True(t, msg.Ack())
	require.Equal(t, []string{"1"}, receivePayloads(t, out, 1, 5*time.Second))
}

// A hung back-off of one message must not keep those in other slots.
func TestBackoffInPlaceTakesOneSlotOnly(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 20)
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MaxInFlight: 2, NackBackoff: func(int) time.Duration { return time.Hour }}
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	require.True(t, receive(t, out, 5*time.Second).Nack())
	for i := 1; i < 20; i++ {
		msg := receive(t, out, 5*time.Second)
		require.Equal(t, strconv.Itoa(i), string(msg.Payload))
		require.True(t, msg.Ack())
	}
}

package redisstream_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

func TestJanitorRemovesConsumersThatAreGoneAndOweNothing(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	shared.Do(t, "XGROUP", "CREATE", topic, "g", "0")
	shared.Do(t, "XGROUP", "CREATECONSUMER", topic, "g", "gone")
	shared.Do(t, "XREADGROUP", "GROUP", "g", "owes", "COUNT", "1", "STREAMS", topic, ">")
	config := redisstream.SubscriberConfig{
		ConsumerGroup: "g", MinIdle: 2 * time.Second, ConsumerTimeout: 2 * time.Second,
		ShouldClaim: func(string, redisstream.PendingEntry) bool { return false }, // it goes on owing
	}
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	receive(t, out, 5*time.Second).Ack()
	eventually(t, 8*time.Second, func() bool {
		return !slices.Contains(consumers(t, shared, topic, "g"), "gone")
	}, "the consumer that owes nothing is removed")
	left := consumers(t, shared, topic, "g")
	require.Len(t, left, 2, "one who has nothing to do is alive: %v", left)
	require.Contains(t, left, "owes")
	<-time.After(config.ConsumerTimeout + config.ConsumerTimeout/2)
	require.Len(t, consumers(t, shared, topic, "g"), 2)
	require.Equal(t, int64(1), pendingCount(t, shared, topic, "g"), "what it owes is still pending")
}

// Another library may have taken what was released. An empty consumer must not
// stay: that library could remove it while something is released to it.
func TestJanitorRemovesTheReservedConsumerWhenItIsEmpty(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: time.Second, ConsumerTimeout: time.Second, CloseTimeout: 100 * time.Millisecond}
	first := newSubscriber(t, shared, config)
	receive(t, subscribe(t, first, topic), 5*time.Second)
	require.NoError(t, first.Close())
	require.Equal(t, []string{"~released"}, consumers(t, shared, topic, "g"))
	shared.Do(t, "XAUTOCLAIM", topic, "g", "of another library", "60000", "0")
	require.Contains(t, consumers(t, shared, topic, "g"), "~released")

	subscribe(t, newSubscriber(t, shared, config), topic)
	eventually(t, 5*time.Second, func() bool { return !slices.Contains(consumers(t, shared, topic, "g"), "~released") }, "it is removed")
}

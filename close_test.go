package redisstream_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// A message that is given up with its last chance taken was not nacked by anybody, so it is no dead
// letter: it goes back to the group.
func TestCloseGivesBackTheLastChanceOfAHungHandler(t *testing.T) {
	t.Parallel()
	for name, maxInFlight := range map[string]int{"one in flight": 1, "several": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, 1)
			s := newSubscriber(t, shared, redisstream.SubscriberConfig{
				ConsumerGroup: "g", MaxDeliveries: 1, MaxInFlight: maxInFlight, CloseTimeout: 100 * time.Millisecond,
			})
			hung := receive(t, subscribe(t, s, topic), healTime)
			require.NoError(t, s.Close())
			require.False(t, hung.Ack(), "Close has nacked it")
			require.Empty(t, lettersOf(t, topic))
			require.EqualValues(t, 1, pendingCount(t, shared, topic, "g"))
		})
	}
}

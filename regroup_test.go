package redisstream_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// The group is destroyed while one member holds a message and does not read; the
// other one, which reads, creates it again before the first can notice. What the
// first one holds must not look as if somebody else had it.
func TestMemberNoticesThatAnotherRestoredTheGroup(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	publisher := newPublisher(t, client)
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 3 * time.Second}
	busy := subscribe(t, newSubscriber(t, shared, config), topic)
	uuid := publish(t, publisher, topic, 1)[0]
	held := receive(t, busy, 5*time.Second)

	reading := subscribe(t, newSubscriber(t, shared, config), topic)
	publish(t, publisher, topic, 1)
	receive(t, reading, 5*time.Second).Ack()
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "the second is acked")
	// The new group starts behind the message that is held: nobody reads it again.
	require.Equal(t, int64(1), shared.Do(t, "XGROUP", "DESTROY", topic, "g"))
	eventually(t, 5*time.Second, func() bool {
		groups, ok := shared.Do(t, "XINFO", "GROUPS", topic).([]any)
		return ok && len(groups) == 1
	}, "the member that reads restores the group")

	held.Nack()
	again := receive(t, busy, 5*time.Second)
	require.Equal(t, uuid, again.UUID)
	again.Ack()
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "nothing stays pending")
}

package redisstream_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// addAt adds entries with these IDs, which are also their UUIDs.
func addAt(tb testing.TB, topic string, ids ...string) {
	tb.Helper()
	for _, id := range ids {
		shared.Do(tb, "XADD", topic, id, redisstream.UUIDField, id)
	}
}

func TestStartPosition(t *testing.T) {
	t.Parallel()
	old := []string{"1000-0", "1000-1", "2000-0", "3000-5"}
	for name, c := range map[string]struct {
		start redisstream.StartPosition
		want  []string
	}{
		"oldest":             {redisstream.StartOldest(), old},
		"newest":             {redisstream.StartNewest(), nil},
		"after an ID":        {redisstream.StartAfterID("1000-0"), old[1:]},
		"after a time":       {redisstream.StartAfterID("1000"), old[1:]},
		"after an absent ID": {redisstream.StartAfterID("1500-7"), old[2:]},
		"at a time":          {redisstream.StartAtTime(time.UnixMilli(1000)), old},
		"at a later time":    {redisstream.StartAtTime(time.UnixMilli(1001)), old[2:]},
		"at the beginning":   {redisstream.StartAtTime(time.Time{}), old},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modes(t, func(t *testing.T, group string) {
				topic := newTopic(t)
				addAt(t, topic, old...)
				out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group, Start: c.start}), topic)
				addAt(t, topic, "4000-0")
				require.Equal(t, append(slices.Clip(c.want), "4000-0"), receiveAndAck(t, out, len(c.want)+1, healTime))
			})
		})
	}
}

func TestStartPositionCountsOnlyForANewGroup(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	addAt(t, topic, "1-0", "2-0", "3-0")
	first := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", Start: redisstream.StartAfterID("1-0")})
	require.Equal(t, []string{"2-0"}, receiveAndAck(t, subscribe(t, first, topic), 1, healTime))
	require.NoError(t, first.Close())
	addAt(t, topic, "4-0")
	for _, start := range []redisstream.StartPosition{redisstream.StartNewest(), redisstream.StartOldest()} {
		next := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", Start: start})
		out := subscribe(t, next, topic)
		id := receiveAndAck(t, out, 1, healTime)[0]
		require.Equal(t, map[bool]string{true: "3-0", false: "4-0"}[start == redisstream.StartNewest()], id)
		require.NoError(t, next.Close())
	}
}

func TestSubscribeInitializeFixesTheStart(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	addAt(t, topic, "1-0")
	s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", Start: redisstream.StartNewest()})
	require.NoError(t, s.SubscribeInitialize(topic))
	addAt(t, topic, "2-0")
	require.NoError(t, s.SubscribeInitialize(topic))
	require.Equal(t, []string{"2-0"}, receiveAndAck(t, subscribe(t, s, topic), 1, healTime))
}

func TestFanOutRedeliversANackedMessageInPlace(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	addAt(t, topic, "1-0", "2-0", "3-0")
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{Start: redisstream.StartOldest()}), topic)
	require.Equal(t, []string{"1-0"}, receiveAndAck(t, out, 1, healTime))
	for count := range int64(4) {
		msg := receive(t, out, healTime)
		require.Equal(t, "2-0", msg.UUID)
		deliveries, _ := redisstream.DeliveryCountFromContext(msg.Context())
		require.Equal(t, count+1, deliveries)
		require.True(t, msg.Nack())
	}
	require.Equal(t, []string{"2-0", "3-0"}, receiveAndAck(t, out, 2, healTime))
}

func TestWhatIsPublishedDirectlyAfterSubscribeArrives(t *testing.T) {
	t.Parallel()
	publisher := newPublisher(t, shared.Client(t))
	s := newSubscriber(t, shared, redisstream.SubscriberConfig{})
	topic := newTopic(t)
	for i := range 200 {
		if i%2 == 0 {
			topic = newTopic(t) // one that does not exist yet
		}
		out := subscribe(t, s, topic)
		receiveAndAckAll(t, out, publish(t, publisher, topic, 1))
	}
}

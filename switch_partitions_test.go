package redisstream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// drain has a consumer of a group take everything of a stream, and ack it.
func drain(tb testing.TB, stream, group string) {
	tb.Helper()
	reply, ok := shared.Do(tb, "XREADGROUP", "GROUP", group, "c", "STREAMS", stream, ">").([]any)
	if !ok {
		return
	}
	for _, item := range reply[0].([]any)[1].([]any) {
		shared.Do(tb, "XACK", stream, group, item.([]any)[0].(string))
	}
}

func TestSwitchPartitionsWaitsUntilAllGroupsAreDone(t *testing.T) {
	t.Parallel()
	const n = 3
	topic, client := newTopic(t), shared.Client(t)
	publisher := publisherWith(t, partitioned(client, n))
	require.NoError(t, publisher.Publish(topic, keyed(keysFor(n, 0, 1, 1, 1)...)...)) // and there is no stream for 2
	for p := range 2 {
		for _, group := range []string{"billing", "audit"} {
			shared.Do(t, "XGROUP", "CREATE", fmt.Sprintf("%s:%d", topic, p), group, "0")
		}
	}
	refused := func(parts ...string) {
		t.Helper()
		err := redisstream.SwitchPartitions(t.Context(), client, topic, n, 8)
		require.ErrorIs(t, err, redisstream.ErrNotDrained)
		for _, part := range append(parts, topic, "from 3 to 8") {
			require.ErrorContains(t, err, part)
		}
		requireRecorded(t, shared, topic, n)
	}
	drain(t, topic+":0", "billing")
	drain(t, topic+":0", "audit")
	drain(t, topic+":1", "audit")
	refused(`:1" has 0 pending and 3 unread entries for group "billing"`)
	shared.Do(t, "XREADGROUP", "GROUP", "billing", "c", "COUNT", "2", "STREAMS", topic+":1", ">")
	refused(`:1" has 2 pending and 1 unread entries for group "billing"`)
	shared.Do(t, "XREADGROUP", "GROUP", "audit", "c", "COUNT", "2", "STREAMS", topic+":1", ">")
	drain(t, topic+":1", "billing")
	refused(`:1" has 2 pending and 0 unread entries for group "billing"`)
	shared.Do(t, "XADD", topic+":0", "*", "f", "v")
	refused(`:0" has 0 pending and 1 unread entries for group "audit", and so it is for 2 more`)
	drain(t, topic+":0", "audit")
	drain(t, topic+":0", "billing")
	uuids, ids := uuidsOf(t, topic+":1")
	require.Len(t, uuids, 3)
	shared.Do(t, append([]string{"XACK", topic + ":1", "billing"}, ids...)...)
	require.NoError(t, redisstream.SwitchPartitions(t.Context(), client, topic, n, 8))
	requireRecorded(t, shared, topic, 8)
}

// A group whose last entries were deleted never gets to the last ID.
func TestSwitchPartitionsDoesNotWaitForWhatWasDeleted(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	require.NoError(t, publisherWith(t, partitioned(client, 2)).Publish(topic, keyed(keysFor(2, 1, 1, 1)...)...))
	stream := topic + ":1"
	shared.Do(t, "XGROUP", "CREATE", stream, "g", "0")
	_, ids := uuidsOf(t, stream)
	shared.Do(t, "XDEL", stream, ids[1])
	require.ErrorIs(t, redisstream.SwitchPartitions(t.Context(), client, topic, 2, 3), redisstream.ErrNotDrained)
	shared.Do(t, "XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", stream, ">")
	shared.Do(t, "XACK", stream, "g", ids[0])
	require.ErrorIs(t, redisstream.SwitchPartitions(t.Context(), client, topic, 2, 3), redisstream.ErrNotDrained)
	shared.Do(t, "XDEL", stream, ids[2])
	require.NoError(t, redisstream.SwitchPartitions(t.Context(), client, topic, 2, 3))
}

func TestSwitchPartitionsNeedsThePresentNumber(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	wrong := func(from, recorded int) {
		t.Helper()
		err := redisstream.SwitchPartitions(t.Context(), client, topic, from, 32)
		var e *redisstream.PartitionsError
		require.ErrorAs(t, err, &e)
		require.Equal(t, redisstream.PartitionsError{Topic: topic, Configured: from, Recorded: recorded}, *e)
	}
	wrong(8, 0)
	require.Equal(t, int64(0), shared.Do(t, "EXISTS", "{"+topic+"}:partitions"))
	require.NoError(t, publisherWith(t, partitioned(client, 16)).Publish(topic, newMessages(2)...))
	wrong(8, 16)
	wrong(1, 16)
	requireRecorded(t, shared, topic, 16)
	require.NoError(t, redisstream.SwitchPartitions(t.Context(), client, topic, 16, 4))
	requireRecorded(t, shared, topic, 4)
	wrong(16, 4)
}

// The number is not the right one, so what its streams have says nothing.
func TestSwitchPartitionsLooksAtTheNumberFirst(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	require.NoError(t, publisherWith(t, partitioned(client, 2)).Publish(topic, newMessages(2)...))
	shared.Do(t, "XGROUP", "CREATE", topic+":1", "g", "0")
	err := redisstream.SwitchPartitions(t.Context(), client, topic, 3, 4)
	require.NotErrorIs(t, err, redisstream.ErrNotDrained)
	var e *redisstream.PartitionsError
	require.ErrorAs(t, err, &e)
}

func TestTopicWithoutPartitionsIsDivided(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	publish(t, newPublisher(t, client), topic, 3)
	shared.Do(t, "XGROUP", "CREATE", topic, "g", "0")
	require.ErrorIs(t, redisstream.SwitchPartitions(t.Context(), client, topic, 1, 4), redisstream.ErrNotDrained)
	drain(t, topic, "g")
	require.NoError(t, redisstream.SwitchPartitions(t.Context(), client, topic, 1, 4))
	requireRecorded(t, shared, topic, 4)
	require.NoError(t, publisherWith(t, partitioned(client, 4)).Publish(topic, newMessages(4)...))
	require.Equal(t, int64(1), length(t, shared, topic+":3"))
}

// The whole way, with a subscriber that does the draining.
func TestSwitchPartitionsWhenASubscriberHasDoneEverything(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	require.NoError(t, publisherWith(t, partitioned(client, 1)).Publish(topic, newMessages(20)...))
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	require.ErrorIs(t, redisstream.SwitchPartitions(t.Context(), client, topic, 1, 2), redisstream.ErrNotDrained)
	receiveAndAck(t, out, 20, healTime)
	eventually(t, 5*time.Second, func() bool {
		return redisstream.SwitchPartitions(t.Context(), client, topic, 1, 2) == nil
	}, "it is drained")
}

func TestSwitchPartitionsSaysWhatRedisRefuses(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	require.NoError(t, publisherWith(t, partitioned(client, 2)).Publish(topic, newMessages(2)...))
	shared.Do(t, "SET", topic+":1", "no stream")
	err := redisstream.SwitchPartitions(t.Context(), client, topic, 2, 3)
	require.ErrorContains(t, err, "WRONGTYPE")
	require.ErrorContains(t, err, topic+":1")
	require.NotErrorIs(t, err, redisstream.ErrNotDrained)
	requireRecorded(t, shared, topic, 2)
}

func TestSwitchPartitionsChecksItsArguments(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	for _, c := range []struct {
		topic    string
		from, to int
		field    string
	}{
		{"", 1, 2, "topic"},
		{"streams", 1, 2, "topic"},
		{"a}b", 1, 2, "topic"},
		{topic, 0, 2, "from"},
		{topic, -1, 2, "from"},
		{topic, 1025, 2, "from"},
		{topic, 2, 0, "to"},
		{topic, 2, 1025, "to"},
		{topic, 2, 2, "to"},
	} {
		var bad *redisstream.ConfigError
		require.ErrorAs(t, redisstream.SwitchPartitions(t.Context(), client, c.topic, c.from, c.to), &bad)
		require.Equal(t, c.field, bad.Field)
		require.NotEmpty(t, bad.Reason)
	}
	var bad *redisstream.ConfigError
	require.ErrorAs(t, redisstream.SwitchPartitions(t.Context(), nil, topic, 1, 2), &bad)
	require.Equal(t, "client", bad.Field)
	require.Equal(t, int64(0), shared.Do(t, "EXISTS", "{"+topic+"}:partitions"))
	require.True(t, strings.HasPrefix(bad.Error(), "client = "))
}

package xstream

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPartitionStream(t *testing.T) {
	t.Parallel()
	require.Equal(t, "orders", PartitionStream("orders", 0, 1))
	require.Equal(t, "orders:0", PartitionStream("orders", 0, 2))
	require.Equal(t, "orders:1023", PartitionStream("orders", 1023, 1024))
	require.Equal(t, "{t}orders:3", PartitionStream("{t}orders", 3, 8))
}

// The number is in the topic's slot. A topic with a tag of its own keeps all its
// partitions there, and others are spread.
func TestPartitionsSlots(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"orders", "{t}orders", "a{b", "ö:ö"} {
		prefix, err := Prefix(topic)
		require.NoError(t, err)
		key := PartitionCount(prefix)
		require.True(t, strings.HasPrefix(key, prefix))
		require.Equal(t, slot(topic), slot(key), topic)
		slots := map[uint16]bool{}
		for i := range 64 {
			stream := PartitionStream(topic, i, 64)
			require.NotEqual(t, key, stream)
			slots[slot(stream)] = true
			own, err := Prefix(stream)
			require.NoError(t, err, "a partition has keys of its own where its topic has")
			require.Equal(t, slot(stream), slot(own))
		}
		require.Equal(t, strings.HasPrefix(topic, "{"), len(slots) == 1, topic)
	}
}

func TestRecordPartitions(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, shared, protocol)
			require.NoError(t, RecordPartitions(t.Context(), topicOf(s), s.Key, 8))
			require.NoError(t, RecordPartitions(t.Context(), topicOf(s), s.Key, 8))
			for _, n := range []int{1, 7, 80} {
				var other *CountError
				require.ErrorAs(t, RecordPartitions(t.Context(), topicOf(s), s.Key, n), &other)
				require.Equal(t, 8, other.Recorded)
				require.EqualError(t, other, "the topic has 8 partitions")
			}
			require.Equal(t, []any{"n", "8"}, shared.Do(t, "HGETALL", s.Key))
		})
	}
}

func TestSwitchPartitions(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	recorded := func(n int) {
		t.Helper()
		require.Equal(t, strconv.Itoa(n), shared.Do(t, "HGET", s.Key, "n"))
	}
	refused := func(from, to, n int) {
		t.Helper()
		var other *CountError
		require.ErrorAs(t, SwitchPartitions(t.Context(), s.Client, s.Key, from, to), &other)
		require.Equal(t, n, other.Recorded)
	}
	refused(2, 3, 0)
	require.Equal(t, int64(0), shared.Do(t, "EXISTS", s.Key))
	require.NoError(t, SwitchPartitions(t.Context(), s.Client, s.Key, 1, 4), "nobody has said anything, and it had one stream")
	recorded(4)
	refused(1, 8, 4)
	refused(8, 16, 4)
	require.NoError(t, SwitchPartitions(t.Context(), s.Client, s.Key, 4, 4))
	recorded(4)
	require.NoError(t, SwitchPartitions(t.Context(), s.Client, s.Key, 4, 2))
	recorded(2)
}

func TestNumberOfPartitionsThatIsNone(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	shared.Do(t, "HSET", s.Key, "n", "many")
	require.ErrorContains(t, RecordPartitions(t.Context(), topicOf(s), s.Key, 2), `"many"`)
	require.ErrorContains(t, SwitchPartitions(t.Context(), s.Client, s.Key, 2, 3), `"many"`)
	s = newStream(t, shared)
	shared.Do(t, "SET", s.Key, "no hash")
	for _, err := range []error{
		RecordPartitions(t.Context(), topicOf(s), s.Key, 2), SwitchPartitions(t.Context(), s.Client, s.Key, 2, 3),
	} {
		require.ErrorContains(t, err, "WRONGTYPE")
		require.Equal(t, Refused, Classify(err))
	}
}

// topicOf is a stream that nobody uses.
func topicOf(s Stream) Stream { return Stream{Client: s.Client, Key: "{" + s.Key + "}:topic"} }

func TestRecordPartitionsOfATopicWithEntries(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	key := PartitionCount("{" + s.Key + "}")
	add(t, s, 1, 1)
	var other *CountError
	require.ErrorAs(t, RecordPartitions(t.Context(), s, key, 4), &other)
	require.Equal(t, 1, other.Recorded)
	n, err := RecordedPartitions(t.Context(), s.Client, key)
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, SwitchPartitions(t.Context(), s.Client, key, 1, 4))
	require.NoError(t, RecordPartitions(t.Context(), s, key, 4))
	n, err = RecordedPartitions(t.Context(), s.Client, key)
	require.NoError(t, err)
	require.Equal(t, 4, n)
}

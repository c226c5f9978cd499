package redisstream_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestPartitionsAreSpreadOverACluster(t *testing.T) {
	t.Parallel()
	const n, each = 16, 20
	cluster := redistest.StartCluster(t, 2)
	nodes, client := cluster.Masters(t), cluster.Client(t)
	require.Equal(t, rueidis.ClientModeCluster, client.Mode())
	publisher := publisherWith(t, partitioned(client, n))
	require.NoError(t, publisher.Publish("orders", newMessages(1)...))
	require.NoError(t, publisher.Publish("orders", newMessages(n*each-1)...))
	var streams [2]int
	for i, node := range nodes {
		for _, key := range node.Do(t, "KEYS", "orders:*").([]any) {
			streams[i]++
			require.Equal(t, int64(each), length(t, node, key.(string)))
		}
	}
	require.Equal(t, n, streams[0]+streams[1])
	require.Greater(t, min(streams[0], streams[1]), n/8)

	stream := cluster.NodeOf(t, "orders:5")
	stream.Do(t, "XGROUP", "CREATE", "orders:5", "g", "0")
	err := redisstream.SwitchPartitions(t.Context(), client, "orders", n, 2*n)
	require.ErrorIs(t, err, redisstream.ErrNotDrained)
	require.ErrorContains(t, err, fmt.Sprintf(`"orders:5" has 0 pending and %d unread`, each))
	stream.Do(t, "XGROUP", "DESTROY", "orders:5", "g")
	require.NoError(t, redisstream.SwitchPartitions(t.Context(), client, "orders", n, 2*n))
	require.NoError(t, publisherWith(t, partitioned(client, 2*n)).Publish("orders", newMessages(5*n)...))
}

// Each partition is in one slot with all that belongs to it, and so is what the members of a
// group know of each other.
func TestKeysOfPartitionsInACluster(t *testing.T) {
	t.Parallel()
	const n = 64
	cluster := redistest.StartCluster(t, 3)
	publisher := publisherWith(t, partitioned(cluster.Client(t), n))
	require.NoError(t, publisher.Publish("orders", newMessages(n)...))
	config := partitionedConfig(n)
	config.Client = cluster.Client(t)
	out := subscribe(t, newSubscriber(t, nil, config), "orders")
	for range n { // each has its stream of dead letters then
		msg := receive(t, out, healTime)
		_ = redisstream.Reject(msg.Context(), errors.New("no"))
		require.True(t, msg.Nack())
	}
	var streams []int
	slots := map[string]int{}
	for _, node := range cluster.Masters(t) {
		eventually(t, healTime, func() bool { return count(t, node, "{orders:*}:dead:g") == count(t, node, "orders:*") }, "all are moved")
		streams = append(streams, count(t, node, "orders:*"))
		for _, key := range node.Do(t, "KEYS", "*").([]any) {
			slots[key.(string)] = cluster.Slot(t, key.(string))
		}
	}
	require.Equal(t, []int{21, 20, 23}, streams)
	belong := func(to string, keys ...string) {
		t.Helper()
		for _, key := range keys {
			require.Contains(t, slots, key)
			require.Equal(t, cluster.Slot(t, to), slots[key], key)
			delete(slots, key)
		}
	}
	for i := range n {
		stream := fmt.Sprint("orders:", i)
		belong(stream, stream, "{"+stream+"}:lease:g", "{"+stream+"}:dead:g")
	}
	belong("orders", "{orders}:partitions", "{orders}:members:g", "{orders}:owned:g", "{orders}:wake:g")
	require.Empty(t, slots)
}

// count is how many keys of a server match.
func count(t *testing.T, node *redistest.Server, pattern string) int {
	t.Helper()
	return len(node.Do(t, "KEYS", pattern).([]any))
}

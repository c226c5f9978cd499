package redisstream_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// startNode starts a server of a cluster. Its second port may be taken by somebody else
// before it is, as it is not known in advance which are free.
func startNode(tb testing.TB) (node *redistest.Server, busPort string) {
	tb.Helper()
	var err error
	for range 5 {
		bus, listenErr := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
		require.NoError(tb, listenErr)
		_, busPort, err = net.SplitHostPort(bus.Addr().String())
		require.NoError(tb, err)
		require.NoError(tb, bus.Close())
		node, err = redistest.Run(redistest.Config("cluster-enabled", "yes"), redistest.Config("cluster-port", busPort))
		if err == nil {
			tb.Cleanup(node.Stop)
			return node, busPort
		}
	}
	require.NoError(tb, err)
	return nil, ""
}

// startCluster starts a cluster of two nodes with half of the slots each.
func startCluster(tb testing.TB) (nodes [2]*redistest.Server, client rueidis.Client) {
	tb.Helper()
	var buses [2]string
	for i := range nodes {
		nodes[i], buses[i] = startNode(tb)
		nodes[i].Do(tb, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*8192), strconv.Itoa(i*8192+8191))
		nodes[i].Do(tb, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	nodes[1].Do(tb, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(nodes[0].Port()), buses[0])
	for _, node := range nodes {
		eventually(tb, 20*time.Second, func() bool {
			info := node.Do(tb, "CLUSTER", "INFO").(string)
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:2")
		}, "the cluster is ready")
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{nodes[0].Addr()}, DisableCache: true})
	require.NoError(tb, err)
	tb.Cleanup(client.Close)
	return nodes, client
}

func TestPartitionsAreSpreadOverACluster(t *testing.T) {
	t.Parallel()
	const n, each = 16, 20
	nodes, client := startCluster(t)
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

	onOwner := func(args ...string) {
		t.Helper()
		_, err := nodes[0].TryDo(t.Context(), args...)
		if err != nil {
			require.ErrorContains(t, err, "MOVED")
			nodes[1].Do(t, args...)
		}
	}
	onOwner("XGROUP", "CREATE", "orders:5", "g", "0")
	err := redisstream.SwitchPartitions(t.Context(), client, "orders", n, 2*n)
	require.ErrorIs(t, err, redisstream.ErrNotDrained)
	require.ErrorContains(t, err, fmt.Sprintf(`"orders:5" has 0 pending and %d unread`, each))
	onOwner("XGROUP", "DESTROY", "orders:5", "g")
	require.NoError(t, redisstream.SwitchPartitions(t.Context(), client, "orders", n, 2*n))
	require.NoError(t, publisherWith(t, partitioned(client, 2*n)).Publish("orders", newMessages(5*n)...))
}

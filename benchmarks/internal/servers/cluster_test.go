package servers

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func TestSlotsAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	cluster, err := StartCluster(t.Context(), 3)
	require.NoError(t, err)
	t.Cleanup(cluster.Stop)
	keys := []string{"", "orders", "{orders}:lease:g", "x{}y", "{", "{{a}b}", "ä", "a{b}{c}"}
	for i := range 100 {
		keys = append(keys, fmt.Sprint("orders:", i))
	}
	for _, key := range keys {
		slot, err := cluster.Masters[0].server.TryDo(t.Context(), "CLUSTER", "KEYSLOT", key)
		require.NoError(t, err)
		require.EqualValues(t, slot, Slot(key), "%q", key)
		if key == "" {
			continue
		}
		_, err = cluster.Masters[MasterOf(key, 3)].server.TryDo(t.Context(), "SET", key, "x")
		require.NoError(t, err, "%q", key)
	}
}

func TestSlotsOfPartitions(t *testing.T) {
	t.Parallel()
	var has [3]int
	for i := range 64 {
		has[MasterOf(xstream.PartitionStream("orders", i, 64), 3)]++
	}
	require.Equal(t, [3]int{21, 20, 23}, has)
}

package redistest

import (
	"strconv"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

func TestClusterServes(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3)
	masters := c.Masters(t)
	require.Len(t, masters, 3)
	client := c.Client(t)
	require.Equal(t, rueidis.ClientModeCluster, client.Mode())
	set := func(key string, value int) {
		t.Helper()
		eventually(t, "the key is set", func() bool {
			return client.Do(t.Context(), client.B().Set().Key(key).Value(strconv.Itoa(value)).Build()).Error() == nil //nolint:forbidigo // see ping
		})
	}
	node := c.NodeOf(t, "k")
	set("k", 1)
	require.Equal(t, "1", node.Do(t, "GET", "k"))
	require.Equal(t, 12739, c.Slot(t, "{123456789}"))

	replica := c.ReplicaOf(t, node)
	require.Equal(t, replica, c.Failover(t, node))
	require.Equal(t, replica, c.NodeOf(t, "k"))
	require.Equal(t, node, c.ReplicaOf(t, replica))
	require.Equal(t, "1", replica.Do(t, "GET", "k"), "nothing is lost")
	set("k", 2)
	require.Equal(t, "2", replica.Do(t, "GET", "k"))

	c.Kill(t, replica)
	require.Equal(t, node, c.NodeOf(t, "k"))
	set("k", 3)
	c.Restart(t, replica, node)
	require.Equal(t, replica, c.ReplicaOf(t, node))
	eventually(t, "it has its master's data", func() bool { return replica.Do(t, "DBSIZE") == int64(1) })
	require.Equal(t, "3", node.Do(t, "GET", "k"))

	c.KillAhead(t, node, func() { node.Do(t, "SET", "k", "4") })
	require.Equal(t, "3", replica.Do(t, "GET", "k"), "the last write is lost")
	require.Len(t, c.Masters(t), 3)
}

func TestClusterMovesSlots(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3)
	client := c.Client(t)
	for i := range 3 {
		require.NoError(t, client.Do(t.Context(), client.B().Set().Key("{k}"+strconv.Itoa(i)).Value("v").Build()).Error()) //nolint:forbidigo // see ping
	}
	from := c.NodeOf(t, "k")
	to := c.Masters(t)[0]
	if to == from {
		to = c.Masters(t)[1]
	}
	var left []any
	c.MoveSlot(t, "k", to, func() { left = append(left, from.Do(t, "DBSIZE")) })
	require.Equal(t, []any{int64(3), int64(2), int64(1), int64(0)}, left)
	require.Equal(t, to, c.NodeOf(t, "k"))
	require.Equal(t, int64(3), to.Do(t, "DBSIZE"))
	value, err := client.Do(t.Context(), client.B().Get().Key("{k}2").Build()).ToString() //nolint:forbidigo // see ping
	require.NoError(t, err)
	require.Equal(t, "v", value)
	c.MoveSlot(t, "k", to)
	require.Equal(t, to, c.NodeOf(t, "k"))
}

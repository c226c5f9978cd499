package redistest

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

func TestIsolatedNodeOfAClusterLosesItsPlace(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, Partitionable())
	client := c.Client(t, impatient)
	setThrough(t, client, "1")
	old := c.NodeOf(t, "k")
	successor := c.Depose(t, old, func(master *Server) {
		c.Isolate(t, master)
		require.Equal(t, "OK", master.Do(t, "SET", "k", "lost"))
	})
	require.Equal(t, successor, c.NodeOf(t, "k"))
	require.True(t, isMaster(t, old), "it has not heard of it")
	require.Equal(t, "1", successor.Do(t, "GET", "k"))
	setThrough(t, client, "2")
	require.Equal(t, "2", successor.Do(t, "GET", "k"))
	c.Rejoin(t, old)
	require.Equal(t, old, c.ReplicaOf(t, successor))
	require.Equal(t, old, c.Failover(t, successor))
	require.Equal(t, "2", old.Do(t, "GET", "k"))
}

func TestIsolatedNodeOfAClusterGetsNothing(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, Partitionable())
	client := c.Client(t, func(o *rueidis.ClientOption) { o.ConnWriteTimeout = time.Hour })
	setThrough(t, client, "1")
	node := c.NodeOf(t, "k")
	before := node.Connections(t)
	c.Isolate(t, node)
	sent := make(chan error, 1)
	go func() {
		sent <- client.Do(t.Context(), client.B().Incr().Key("k").Build()).Error() //nolint:forbidigo // see ping
	}()
	eventually(t, "the others miss it", func() bool {
		list, _ := c.Masters(t)[0].Do(t, "CLUSTER", "NODES").(string)
		return !parseView(list)[c.id(node)].isWell()
	})
	require.NotContains(t, node.Do(t, "INFO", "commandstats"), "cmdstat_incr")
	require.GreaterOrEqual(t, node.Connections(t), before-1, "clients' connections stay")
	c.Rejoin(t, node)
	require.True(t, isAnswer(<-sent), "what was sent comes through afterwards")
	require.Contains(t, node.Do(t, "INFO", "commandstats"), "cmdstat_incr")
	require.Equal(t, node, c.NodeOf(t, "k"))
}

func TestIsolatedMasterIsReplacedBySentinels(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, Partitionable())
	client := s.Client(t, impatient)
	setThrough(t, client, "1")
	old := s.Master(t)
	successor := s.Depose(t, func(master *Server) { s.Isolate(t, master) })
	require.NotEqual(t, old, successor)
	require.Equal(t, "OK", old.Do(t, "SET", "k", "lost"), "it takes itself for the master")
	setThrough(t, client, "2")
	s.Rejoin(t, old)
	require.Equal(t, successor, s.Master(t))
	eventually(t, "it has its master's data", func() bool { return old.Do(t, "GET", "k") == "2" })
}

func TestIsolatedReplicaHearsNothing(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, Partitionable())
	master, replica := s.Master(t), s.Replica(t)
	s.Isolate(t, replica)
	said, confirmed := progress(t, master, replica)
	master.Do(t, "SET", "k", "1")
	eventually(t, "the master has said much", func() bool {
		now, _ := progress(t, master, replica)
		return now > said+500
	})
	_, now := progress(t, master, replica)
	require.Equal(t, confirmed, now)
	require.Nil(t, replica.Do(t, "GET", "k"))
	require.True(t, isConnected(t, replica), "no connection is closed")
	s.Rejoin(t, replica)
	require.Equal(t, "1", replica.Do(t, "GET", "k"))
	require.Equal(t, master, s.Master(t))
	s.Restart(t, replica)
	s.Isolate(t, replica)
	master.Do(t, "SET", "k", "2")
	require.Equal(t, "1", replica.Do(t, "GET", "k"), "its proxies outlive a restart")
}

func TestIsolateNeedsProxies(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t)
	require.Contains(t, fatalOf(t, func(tb testing.TB) { s.Isolate(tb, s.nodes[0]) }), "Partitionable") //nolint:thelper // one line
	require.NoError(t, s.nodes[0].Ping(context.WithoutCancel(t.Context())))
}

// isAnswer tells an answer from a lost connection. A node that has just come back may say that
// the cluster is down.
func isAnswer(err error) bool {
	_, ok := rueidis.IsRedisErr(err)
	return err == nil || ok
}

// impatient is a client that soon gives up a connection without answers.
func impatient(o *rueidis.ClientOption) { o.ConnWriteTimeout = time.Second }

package failover_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// topics are three plain ones, one on each master, and one with partitions on all of them.
func topics() map[string]int {
	return map[string]int{"a": 0, "b": 0, "c": 0, "orders": 6}
}

// onCluster is a cluster under load.
func onCluster(t *testing.T, d redisstream.Durability, opts ...redistest.Option) (*stage, *redistest.Cluster) {
	t.Helper()
	c := redistest.StartCluster(t, 3, opts...)
	s := &stage{servers: c, node: c.NodeOf, durability: d}
	play(t, s, topics())
	return s, c
}

func TestClusterFailsOver(t *testing.T) {
	t.Parallel()
	s, c := onCluster(t, redisstream.Durability{})
	s.during(t, "failover", func() time.Time {
		for _, master := range c.Masters(t) {
			c.Failover(t, master)
		}
		return time.Now()
	})
	lost, _ := s.judge(t)
	require.Zero(t, lost)
}

func TestClusterMastersDie(t *testing.T) {
	t.Parallel()
	s, c := onCluster(t, redisstream.Durability{})
	for _, master := range c.Masters(t) {
		var next *redistest.Server
		s.during(t, "kill", func() time.Time {
			next = c.Kill(t, master)
			return time.Now()
		})
		c.Restart(t, master, next)
	}
	s.judge(t)
}

func TestClusterMastersHang(t *testing.T) {
	t.Parallel()
	s, c := onCluster(t, redisstream.Durability{})
	for _, master := range c.Masters(t)[:2] {
		s.during(t, "hang", func() time.Time {
			return s.away(func() {
				c.Depose(t, master, func(master *redistest.Server) { master.Pause(t) })
			}, func() { master.Resume(t) })
		})
	}
	s.judge(t)
}

func TestClusterMastersAreCutOff(t *testing.T) {
	t.Parallel()
	s, c := onCluster(t, redisstream.Durability{}, redistest.Partitionable())
	for _, master := range c.Masters(t)[:2] {
		s.during(t, "cut off", func() time.Time {
			return s.away(func() {
				c.Depose(t, master, func(master *redistest.Server) { c.Isolate(t, master) })
			}, func() { c.Rejoin(t, master) })
		})
	}
	s.judge(t)
}

// Each slot moves key by key, and where the server can also at once.
func TestClusterSlotsMove(t *testing.T) {
	t.Parallel()
	s, c := onCluster(t, redisstream.Durability{})
	s.during(t, "slots move", func() time.Time {
		begin := time.Now()
		for round := range 4 {
			for _, key := range []string{"a", "b", "orders", "orders:0", "orders:3"} {
				masters := c.Masters(t)
				to := masters[0]
				if to == c.NodeOf(t, key) {
					to = masters[1]
				}
				if round%2 == 0 || !c.MoveSlotAtOnce(t, key, to) {
					c.MoveSlot(t, key, to)
				}
			}
		}
		return begin
	})
	lost, _ := s.judge(t)
	require.Zero(t, lost)
}

func TestClusterRollingRestart(t *testing.T) {
	t.Parallel()
	s, c := onCluster(t, redisstream.Durability{})
	s.during(t, "rolling restart", func() time.Time {
		for _, master := range c.Masters(t) {
			replica := c.ReplicaOf(t, master)
			replica.Shutdown(t)
			c.Restart(t, replica, master)
			c.Failover(t, master)
			master.Shutdown(t)
			c.Restart(t, master, replica)
		}
		return time.Now()
	})
	lost, _ := s.judge(t)
	require.Zero(t, lost)
}

package cluster_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// other is a master that does not have a key.
func (s *stage) other(t *testing.T, key string) *redistest.Server {
	t.Helper()
	masters := s.cluster.Masters(t)
	if masters[0] == s.cluster.NodeOf(t, key) {
		return masters[1]
	}
	return masters[0]
}

// apart is a partition that is on another node than the topic's own keys.
func (s *stage) apart(t *testing.T) int {
	t.Helper()
	for p := range partitions {
		if s.cluster.NodeOf(t, stream(p)) != s.cluster.NodeOf(t, topic) {
			return p
		}
	}
	t.Fatal("all are on one node")
	return 0
}

// Nothing is lost here, and so nothing comes out of order or from two members at a time.
func TestSlotsMoveAndMastersChangePlaces(t *testing.T) {
	t.Parallel()
	s := newStage(t, leaseTTL)
	s.publish(t)
	for _, p := range []int{0, 5, 11} {
		s.during(t, "slot of a partition", func() { s.cluster.MoveSlot(t, stream(p), s.other(t, stream(p))) })
	}
	s.during(t, "slot of the topic", func() { s.cluster.MoveSlot(t, topic, s.other(t, topic)) })
	s.during(t, "failover of a partition's node", func() { s.cluster.Failover(t, s.cluster.NodeOf(t, stream(s.apart(t)))) })
	s.during(t, "failover of the topic's node", func() { s.cluster.Failover(t, s.cluster.NodeOf(t, topic)) })
	require.Zero(t, s.judge(t), "nothing is lost")
}

// While some keys of a slot are here and some there, no script can run that needs both.
func TestSlotsStayOnTheirWay(t *testing.T) {
	t.Parallel()
	s := newStage(t, leaseTTL)
	s.publish(t)
	for _, key := range []string{stream(3), topic} {
		steps := 0
		s.during(t, key, func() {
			s.cluster.MoveSlot(t, key, s.other(t, key), func() {
				if steps++; steps == 2 {
					s.watch(t, leaseTTL*3/2, func(p int) bool { return stream(p) != key })
				}
			})
		})
		require.Greater(t, steps, 2)
	}
	require.Zero(t, s.judge(t), "nothing is lost")
}

// watch makes sure for some time that others go on: what is published meanwhile is handled
// meanwhile.
func (s *stage) watch(t *testing.T, d time.Duration, others func(p int) bool) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < d; {
		for p := range partitions {
			if others(p) {
				before := s.lastID(t, p)
				eventually(t, "more is published", func() bool { return compare(s.lastID(t, p), before) > 0 })
				s.awaitHandled(t, p, s.lastID(t, p))
			}
		}
	}
}

func TestMastersDie(t *testing.T) {
	t.Parallel()
	s := newStage(t, leaseTTL)
	s.publish(t)
	for _, end := range []func(master *redistest.Server) *redistest.Server{
		func(master *redistest.Server) *redistest.Server { return s.cluster.Kill(t, master) },
		func(master *redistest.Server) *redistest.Server { // and its replica has not got everything
			return s.cluster.KillAhead(t, master, func() { s.awaitService(t) })
		},
	} {
		for _, key := range []string{stream(s.apart(t)), topic} {
			old := s.cluster.NodeOf(t, key)
			var next *redistest.Server
			s.during(t, "the end of the node of "+key, func() { next = end(old) })
			s.cluster.Restart(t, old, next)
		}
	}
	s.judge(t)
}

// A node that hangs, and that nobody replaces, holds up its own partitions only.
func TestNodeHangs(t *testing.T) {
	t.Parallel()
	s := newStage(t, leaseTTL, redistest.Config("cluster-require-full-coverage", "no"))
	s.publish(t)
	hung := s.cluster.NodeOf(t, stream(s.apart(t)))
	var others [partitions]bool
	for p := range partitions {
		others[p] = s.cluster.NodeOf(t, stream(p)) != hung
	}
	s.during(t, "a node hangs", func() {
		hung.Pause(t)
		s.watch(t, leaseTTL*3/2, func(p int) bool { return others[p] })
		hung.Resume(t)
	})
	require.Zero(t, s.judge(t), "nothing is lost")
}

// What was handled comes again when its acks are lost, also if nothing new comes.
func TestLostAcksAreNoticedInAQuietPartition(t *testing.T) {
	t.Parallel()
	s := newStage(t, 10*leaseTTL) // the owner remains
	p := s.apart(t)
	resume := s.book.hold(t)
	s.send(t, p, 1)
	node := s.cluster.NodeOf(t, stream(p))
	pending := func(node *redistest.Server) any { return node.Do(t, "XPENDING", stream(p), group).([]any)[0] }
	eventually(t, "it is read", func() bool { return pending(node) == int64(1) })
	replica := s.cluster.ReplicaOf(t, node)
	eventually(t, "the replica knows", func() bool { return s.offset(t, replica) == s.offset(t, node) })
	next := s.cluster.KillAhead(t, node, func() {
		resume()
		eventually(t, "it is acked", func() bool { return pending(node) == int64(0) })
	})
	eventually(t, "it is acked again", func() bool { return pending(next) == int64(0) })
	s.judge(t)
}

package redistest

import (
	"testing"
	"time"
)

// downAfter is for how long a master has to be silent, in ms, when it is meant to lose its place.
const downAfter = "500"

// patience is how long a sentinel may take to fail over, once it has said that it will.
const patience = 5 * time.Second

// Failover has master and replica change places, as an operator does it. The replica takes over
// at once, and it takes a while until the old master is told: what it accepts until then is
// lost. It returns the new master when the old one is its replica.
func (s *Sentinel) Failover(tb testing.TB) *Server {
	tb.Helper()
	master, replica := s.Master(tb), s.Replica(tb)
	var asked time.Time
	await(tb, "a sentinel fails over", func() bool {
		switch s.node(viewOf(tb, s.watchers[0]).port) {
		case replica:
			return true
		case master:
			// It may not have got over the last time yet, or not have seen enough of a replica that
			// has just started; then it gives up, and has to be asked again.
			if time.Since(asked) > patience {
				if _, err := askNode(tb, s.watchers[0], "SENTINEL", "FAILOVER", MasterSet); err == nil {
					asked = time.Now()
				}
			}
		}
		return false
	})
	s.awaitMaster(tb, replica)
	s.awaitReplica(tb, master)
	return replica
}

// Kill ends the master like a crash (kill -9), and returns the new one when all sentinels know.
func (s *Sentinel) Kill(tb testing.TB) *Server {
	tb.Helper()
	return s.Depose(tb, func(master *Server) { master.Kill(tb) })
}

// Depose has the sentinels watch closely while how silences the master, and returns the new one
// when all sentinels know. One that was frozen or cut off goes on as a master when it is back,
// until it is told.
func (s *Sentinel) Depose(tb testing.TB, how func(master *Server)) *Server {
	tb.Helper()
	master, replica := s.Master(tb), s.Replica(tb)
	s.watch(tb, downAfter)
	how(master)
	s.awaitMaster(tb, replica)
	s.watch(tb, never)
	return replica
}

// Restart starts a node again that [Sentinel.Kill] has ended, and returns when it is the new
// master's replica.
func (s *Sentinel) Restart(tb testing.TB, node *Server) {
	tb.Helper()
	node.Restart(tb)
	s.awaitReplica(tb, node)
}

// watch sets for how many ms a master may be silent.
func (s *Sentinel) watch(tb testing.TB, ms string) {
	tb.Helper()
	for _, watcher := range s.watchers {
		watcher.Do(tb, "SENTINEL", "SET", MasterSet, "down-after-milliseconds", ms)
	}
}

// awaitMaster waits until all sentinels take a node for the master, and so does the node.
func (s *Sentinel) awaitMaster(tb testing.TB, node *Server) {
	tb.Helper()
	port := node.publicPort()
	await(tb, "there is a new master", func() bool {
		for _, watcher := range s.watchers {
			if w := viewOf(tb, watcher); w.port != port || !w.isSettled() {
				return false
			}
		}
		return isMaster(tb, node)
	})
}

// awaitReplica waits until all sentinels know of a replica and it has what its master had.
func (s *Sentinel) awaitReplica(tb testing.TB, node *Server) {
	tb.Helper()
	port := node.publicPort()
	await(tb, "the replica is known", func() bool {
		for _, watcher := range s.watchers {
			if !viewOf(tb, watcher).hasReplica(port) {
				return false
			}
		}
		return true
	})
	awaitStream(tb, s.other(node), node)
}

package redistest

import "testing"

// Resume has a node go on that was frozen, and returns when it is the master's replica.
func (s *Sentinel) Resume(tb testing.TB, node *Server) {
	tb.Helper()
	node.Resume(tb)
	s.awaitReplica(tb, node)
}

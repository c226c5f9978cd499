package redistest

import (
	"slices"
	"testing"
)

// Isolate cuts a node off from clients and from the other nodes: nothing comes through, in
// either direction, and no connection is closed. The node goes on, and [Server.Do] still reaches
// it; all that asks the cluster leaves it out. It needs [Partitionable].
func (c *Cluster) Isolate(tb testing.TB, node *Server) {
	tb.Helper()
	isolate(tb, node, c.nodes)
	c.away[slices.Index(c.nodes, node)].Store(true)
}

// Rejoin ends a [Cluster.Isolate], and returns when all agree on who has what, and masters and
// replicas are in touch.
func (c *Cluster) Rejoin(tb testing.TB, node *Server) {
	tb.Helper()
	owners := c.view(tb).owners()
	rejoin(tb, node, c.nodes)
	c.away[slices.Index(c.nodes, node)].Store(false)
	c.agree(tb, "the node is back", func(v view) bool {
		n := v[c.id(node)] // it may have heard that its slots are another one's, and not whose replica it is
		return n.isWell() && (len(n.slots) > 0 || c.node(n.master) != nil) && v.isWhole() && v.owners() == owners
	})
	v := c.view(tb)
	if master := c.node(v[c.id(node)].master); master != nil {
		c.awaitReplica(tb, master, node)
	} else {
		c.awaitReplica(tb, node, c.ReplicaOf(tb, node))
	}
	c.awaitService(tb)
}

// Isolate cuts the master or the replica off from clients, sentinels and the other one: nothing
// comes through, in either direction, and no connection is closed. The node goes on, and
// [Server.Do] still reaches it. It needs [Partitionable].
func (s *Sentinel) Isolate(tb testing.TB, node *Server) {
	tb.Helper()
	isolate(tb, node, s.nodes)
}

// Rejoin ends a [Sentinel.Isolate], and returns when master and replica are in touch.
func (s *Sentinel) Rejoin(tb testing.TB, node *Server) {
	tb.Helper()
	rejoin(tb, node, s.nodes)
	s.awaitMaster(tb, s.Master(tb))
	s.awaitReplica(tb, s.Replica(tb))
}

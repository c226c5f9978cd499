package redistest

import (
	"strconv"
	"testing"
)

// migrateTimeout is how long the two nodes may take for a key, in ms.
const migrateTimeout = "5000"

// MoveSlot moves the slot of a key to another master, key by key, and returns when all nodes
// know. between is called before each key, and once more when all have gone and the slot has
// not yet.
func (c *Cluster) MoveSlot(tb testing.TB, key string, to *Server, between ...func()) {
	tb.Helper()
	slot := strconv.Itoa(c.Slot(tb, key))
	from := c.NodeOf(tb, key)
	if from == to {
		return
	}
	to.Do(tb, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.id(from))
	from.Do(tb, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.id(to))
	await(tb, "the keys have moved", func() bool {
		for _, f := range between {
			f()
		}
		keys, _ := from.Do(tb, "CLUSTER", "GETKEYSINSLOT", slot, "1").([]any)
		if len(keys) == 0 {
			return true
		}
		name, _ := keys[0].(string)
		ctx, cancel := background(doTimeout)
		defer cancel()
		// A node that was busy for a moment refuses; it is asked again.
		_, _ = from.TryDo(ctx, "MIGRATE", "127.0.0.1", strconv.Itoa(to.Port()), name, "0", migrateTimeout)
		return false
	})
	to.Do(tb, "CLUSTER", "SETSLOT", slot, "NODE", c.id(to))
	from.Do(tb, "CLUSTER", "SETSLOT", slot, "NODE", c.id(to))
	c.agree(tb, "the slot has moved", func(v view) bool { return v.masterOf(c.Slot(tb, key)) == c.id(to) })
}

// Failover has a master and its replica change places, in agreement, so that nothing is
// lost. It returns the new master when all nodes know, and the old one is its replica.
func (c *Cluster) Failover(tb testing.TB, master *Server) *Server {
	tb.Helper()
	replica := c.ReplicaOf(tb, master)
	replica.Do(tb, "CLUSTER", "FAILOVER")
	c.awaitMaster(tb, replica)
	c.awaitReplica(tb, replica, master)
	return replica
}

// Kill ends a master like a crash (kill -9), and returns the one that was its replica when
// all nodes know it as the new master. After [Cluster.Restart] the old one is its replica.
func (c *Cluster) Kill(tb testing.TB, master *Server) *Server {
	tb.Helper()
	return c.Depose(tb, master, func(master *Server) { master.Kill(tb) })
}

// Depose is [Cluster.Kill] for a master that how silences in another way. One that was frozen
// or cut off goes on as a master when it is back, until it hears the others.
func (c *Cluster) Depose(tb testing.TB, master *Server, how func(master *Server)) *Server {
	tb.Helper()
	return c.succeed(tb, master, func(*Server) { how(master) })
}

// KillAhead is [Cluster.Kill] for a master whose replica lags behind: it loses what happens
// meanwhile.
func (c *Cluster) KillAhead(tb testing.TB, master *Server, meanwhile func()) *Server {
	tb.Helper()
	return c.succeed(tb, master, func(replica *Server) {
		replica.Pause(tb)
		master.Do(tb, "CLIENT", "KILL", "TYPE", "replica") // else it would find all when it resumes
		meanwhile()
		master.Kill(tb)
		replica.Resume(tb)
	})
}

// succeed returns a master's successor when its end has come.
func (c *Cluster) succeed(tb testing.TB, master *Server, end func(replica *Server)) *Server {
	tb.Helper()
	replica := c.ReplicaOf(tb, master)
	replica.Do(tb, "CONFIG", "SET", "cluster-replica-no-failover", "no")
	end(replica)
	c.awaitMaster(tb, replica)
	replica.Do(tb, "CONFIG", "SET", "cluster-replica-no-failover", "yes")
	return replica
}

// Restart starts a node again that [Cluster.Kill] has ended, and returns when it is the new
// master's replica.
func (c *Cluster) Restart(tb testing.TB, node, master *Server) {
	tb.Helper()
	node.Restart(tb)
	c.awaitReplica(tb, master, node)
	c.awaitService(tb)
}

// awaitMaster waits until all take a node for a master with slots, and serve.
func (c *Cluster) awaitMaster(tb testing.TB, node *Server) {
	tb.Helper()
	c.agree(tb, "there is a new master", func(v view) bool {
		n := v[c.id(node)]
		return len(n.slots) > 0 && n.isWell() && v.isWhole()
	})
	c.awaitService(tb)
}

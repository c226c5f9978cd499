package redistest

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

const (
	slotCount = 16384
	// agreeTimeout is how long the nodes of a cluster may take to agree.
	agreeTimeout = 60 * time.Second
	// meetAgain is when nodes are introduced once more. A node that is too busy to answer forgets
	// within a second that somebody wanted to know it.
	meetAgain = 3 * time.Second
	// askTimeout is how long a node may take to say what it knows; then it does not count.
	askTimeout = time.Second
	// busPorts is how many second ports are tried for a node, because somebody else may be
	// faster to take one.
	busPorts = 5
)

// A Cluster is masters with an equal share of the slots, in order, and with a replica each.
// It fails over when [Cluster.Failover] or [Cluster.Kill] say so, and not because the machine
// is busy.
type Cluster struct {
	nodes []*Server // the first masters, and then a replica of each
	ids   []string  // of the nodes

	awake atomic.Int64  // one that has answered; others may be paused
	away  []atomic.Bool // which nodes are cut off
	slots sync.Map      // of keys
}

// StartCluster starts a cluster of n masters that ends with the test. It returns once all
// nodes serve, and each replica has what its master has.
func StartCluster(tb testing.TB, n int, opts ...Option) *Cluster {
	tb.Helper()
	c := &Cluster{nodes: make([]*Server, 2*n), ids: make([]string, 2*n), away: make([]atomic.Bool, 2*n)}
	buses, errs := make([]string, 2*n), make([]error, 2*n)
	var starting sync.WaitGroup
	for i := range c.nodes {
		starting.Go(func() { c.nodes[i], buses[i], errs[i] = runNode(append(slices.Clip(opts), bindSource(i))) })
	}
	starting.Wait()
	for _, node := range c.nodes {
		if node != nil {
			tb.Cleanup(node.Stop)
		}
	}
	check(tb, errors.Join(errs...))
	for i, node := range c.nodes {
		buses[i] = node.putBehind(tb, buses[i])
		c.ids[i], _ = node.Do(tb, "CLUSTER", "MYID").(string)
		node.Do(tb, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		if i < n {
			node.Do(tb, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slotCount/n), strconv.Itoa((i+1)*slotCount/n-1))
		}
	}
	c.introduce(tb, buses)
	for i, master := range c.ids[:n] {
		c.nodes[n+i].Do(tb, "CLUSTER", "REPLICATE", master)
	}
	for i, master := range c.nodes[:n] {
		c.awaitReplica(tb, master, c.nodes[n+i])
	}
	c.awaitService(tb)
	return c
}

// introduce has all nodes know each other.
func (c *Cluster) introduce(tb testing.TB, buses []string) {
	tb.Helper()
	var met time.Time
	await(tb, "the nodes know each other", func() bool {
		if time.Since(met) > meetAgain {
			for i, node := range c.nodes {
				for j := range i {
					node.Do(tb, "CLUSTER", "MEET", "127.0.0.1", c.nodes[j].publicPort(), buses[j])
				}
			}
			met = time.Now()
		}
		return c.agrees(tb, func(v view) bool { return len(v) == len(c.nodes) && v.isWhole() })
	})
}

func runNode(opts []Option) (node *Server, bus string, err error) {
	ctx, cancel := background(startTimeout)
	defer cancel()
	for range busPorts {
		port, err := freePort(ctx)
		if err != nil {
			return nil, "", err
		}
		bus = strconv.Itoa(port)
		node, err = Run(append([]Option{
			Config("cluster-enabled", "yes"),
			Config("cluster-port", bus),
			Config("cluster-node-timeout", "1000"),
			Config("cluster-replica-no-failover", "yes"),
		}, replicates(opts)...)...)
		if err == nil || !errors.Is(err, errPortTaken) {
			return node, bus, err
		}
	}
	return nil, "", errPortTaken
}

// Client returns a client of the cluster that is closed at the end of the test.
func (c *Cluster) Client(tb testing.TB, mutate ...func(*rueidis.ClientOption)) rueidis.Client {
	tb.Helper()
	c.view(tb)
	node := c.nodes[c.awake.Load()]
	option := rueidis.ClientOption{
		InitAddress:  []string{node.publicAddr()},
		DisableCache: true,
		TLSConfig:    node.tlsConfig(),
	}
	for _, f := range mutate {
		f(&option)
	}
	client, err := rueidis.NewClient(option)
	check(tb, err)
	tb.Cleanup(client.Close)
	return client
}

// Masters are the nodes that have slots, in the order in which the cluster was started.
func (c *Cluster) Masters(tb testing.TB) []*Server {
	tb.Helper()
	v := c.view(tb)
	var masters []*Server
	for i, id := range c.ids {
		if len(v[id].slots) > 0 {
			masters = append(masters, c.nodes[i])
		}
	}
	return masters
}

// Slot is where a key belongs.
func (c *Cluster) Slot(tb testing.TB, key string) int {
	tb.Helper()
	slot, ok := c.slots.Load(key)
	if !ok {
		slot = c.anyone(tb, "CLUSTER", "KEYSLOT", key)
		c.slots.Store(key, slot)
	}
	n, _ := slot.(int64)
	return int(n)
}

// NodeOf is the master that has the slot of a key.
func (c *Cluster) NodeOf(tb testing.TB, key string) *Server {
	tb.Helper()
	node := c.node(c.view(tb).masterOf(c.Slot(tb, key)))
	if node == nil {
		tb.Fatal("nobody has the slot of", key)
	}
	return node
}

// ReplicaOf is the replica of a master. It waits until there is one that is well.
func (c *Cluster) ReplicaOf(tb testing.TB, master *Server) (replica *Server) {
	tb.Helper()
	await(tb, "there is a replica of "+master.Addr(), func() bool {
		replica = c.node(c.view(tb).replicaOf(c.id(master)))
		return replica != nil
	})
	return replica
}

func (c *Cluster) node(id string) *Server {
	for i, known := range c.ids {
		if known == id {
			return c.nodes[i]
		}
	}
	return nil
}

func (c *Cluster) id(node *Server) string {
	for i, known := range c.nodes {
		if known == node {
			return c.ids[i]
		}
	}
	return ""
}

// anyone sends a command to the first node that answers.
func (c *Cluster) anyone(tb testing.TB, args ...string) (reply any) {
	tb.Helper()
	err, first := errNotRunning, int(c.awake.Load())
	for i := 0; i < len(c.nodes) && err != nil; i++ {
		next := (first + i) % len(c.nodes)
		if c.away[next].Load() {
			continue
		}
		c.awake.Store(int64(next))
		reply, err = askNode(tb, c.nodes[next], args...)
	}
	check(tb, err)
	return reply
}

// view is what the first node that answers knows.
func (c *Cluster) view(tb testing.TB) view {
	tb.Helper()
	list, _ := c.anyone(tb, "CLUSTER", "NODES").(string)
	return parseView(list)
}

// present are the nodes that are not cut off.
func (c *Cluster) present() []*Server {
	var nodes []*Server
	for i, node := range c.nodes {
		if !c.away[i].Load() {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// agree waits until all nodes that answer know something, and most answer.
func (c *Cluster) agree(tb testing.TB, what string, known func(view) bool) {
	tb.Helper()
	await(tb, what, func() bool { return c.agrees(tb, known) })
}

// agrees reports whether all nodes that answer know something, and most answer.
func (c *Cluster) agrees(tb testing.TB, known func(view) bool) bool {
	tb.Helper()
	answers := 0
	for _, node := range c.present() {
		reply, err := askNode(tb, node, "CLUSTER", "NODES")
		if err != nil {
			continue
		}
		answers++
		if list, _ := reply.(string); !known(parseView(list)) {
			return false
		}
	}
	return answers > len(c.nodes)/2
}

// awaitService waits until all nodes that answer serve what is theirs.
func (c *Cluster) awaitService(tb testing.TB) {
	tb.Helper()
	await(tb, "the nodes serve", func() bool {
		for _, node := range c.present() {
			reply, err := askNode(tb, node, "CLUSTER", "INFO")
			if info, _ := reply.(string); err == nil && !strings.Contains(info, "cluster_state:ok") {
				return false
			}
		}
		return true
	})
}

// awaitReplica waits until all know of a replica and it has what its master had.
func (c *Cluster) awaitReplica(tb testing.TB, master, replica *Server) {
	tb.Helper()
	c.agree(tb, "the replica is known", func(v view) bool { return v.replicaOf(c.id(master)) == c.id(replica) })
	awaitStream(tb, master, replica)
}

func askNode(tb testing.TB, node *Server, args ...string) (any, error) {
	tb.Helper()
	ctx, cancel := background(askTimeout)
	defer cancel()
	return node.TryDo(ctx, args...)
}

// await polls, because what other processes do is seen only by looking.
func await(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	ctx, cancel := background(agreeTimeout)
	defer cancel()
	tick := time.NewTicker(2 * pollInterval)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			tb.Fatal("waited in vain until " + what)
		case <-tick.C:
		}
	}
}

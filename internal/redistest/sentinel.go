package redistest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

const (
	// MasterSet is the name under which sentinels know their master.
	MasterSet = "main"
	// sentinels is how many there are; two of them have to agree.
	sentinels, quorum = 3, "2"
	// never is longer than any test, in ms.
	never = "86400000"
)

// A Sentinel is a master with one replica, and three sentinels that watch them. They fail
// over when [Sentinel.Failover], [Sentinel.Kill] or [Sentinel.Depose] say so, and not because
// the machine is busy. They look and speak more often than by default, as nobody wants to wait
// for them; all else is as they do it.
type Sentinel struct {
	nodes    []*Server // the first master, and its replica
	watchers []*Server // the sentinels
}

// StartSentinel starts a master, a replica and sentinels, which end with the test. The options
// are those of master and replica. It returns once the replica has what its master has, and the
// sentinels know each other and both.
func StartSentinel(tb testing.TB, opts ...Option) *Sentinel {
	tb.Helper()
	master := Start(tb, append(replicates(opts), bindSource(0))...)
	replica := Start(tb, append(replicates(opts), bindSource(1))...)
	master.putBehind(tb, "")
	replica.putBehind(tb, "")
	replica.Do(tb, "REPLICAOF", "127.0.0.1", master.publicPort())
	s := &Sentinel{nodes: []*Server{master, replica}, watchers: make([]*Server, sentinels)}
	errs := make([]error, sentinels)
	var starting sync.WaitGroup
	for i := range s.watchers {
		starting.Go(func() { s.watchers[i], errs[i] = Run(watcherOption(master)) })
	}
	starting.Wait()
	for _, watcher := range s.watchers {
		if watcher != nil {
			tb.Cleanup(watcher.Stop)
		}
	}
	check(tb, errors.Join(errs...))
	for _, watcher := range s.watchers {
		watcher.Do(tb, append([]string{"SENTINEL", "DEBUG"}, haste()...)...)
	}
	s.awaitMaster(tb, master)
	s.awaitReplica(tb, replica)
	return s
}

// watcherOption makes a server a sentinel.
func watcherOption(master *Server) Option {
	return func(s *settings) {
		*s = settings{sentinel: true, binary: master.binary}
		s.set("loglevel", "warning")
		if master.settings.tls {
			TLS()(s)
		}
		s.set("sentinel", "monitor "+MasterSet+" 127.0.0.1 "+master.publicPort()+" "+quorum)
		s.set("sentinel", "down-after-milliseconds "+MasterSet+" "+never)
		s.set("sentinel", "failover-timeout "+MasterSet+" 3000")
	}
}

// haste is how often sentinels look and speak. Whoever comes back as a master, and is none any
// more, is told so after four times the publish-period. A sentinel that was not given the
// processor for a while does not sit back afterwards.
func haste() []string {
	return []string{
		"info-period", "300", "publish-period", "300", "ping-period", "300", "ask-period", "300",
		"min-link-reconnect-period", "300", "tilt-trigger", never,
	}
}

// Client returns a client that asks the sentinels for the master, and is closed at the end of
// the test.
func (s *Sentinel) Client(tb testing.TB, mutate ...func(*rueidis.ClientOption)) rueidis.Client {
	tb.Helper()
	option := rueidis.ClientOption{
		DisableCache: true,
		TLSConfig:    s.nodes[0].tlsConfig(),
		Sentinel: rueidis.SentinelOption{
			MasterSet:               MasterSet,
			TLSConfig:               s.nodes[0].tlsConfig(),
			TopologyRefreshInterval: 5 * time.Second,
		},
	}
	for _, watcher := range s.watchers {
		option.InitAddress = append(option.InitAddress, watcher.Addr())
	}
	for _, f := range mutate {
		f(&option)
	}
	client, err := rueidis.NewClient(option)
	check(tb, err)
	tb.Cleanup(client.Close)
	return client
}

// Sentinels are the servers that watch.
func (s *Sentinel) Sentinels() []*Server { return slices.Clone(s.watchers) }

// Master is the one that most sentinels take for the master.
func (s *Sentinel) Master(tb testing.TB) *Server {
	tb.Helper()
	votes := make(map[*Server]int)
	for _, watcher := range s.watchers {
		node := s.node(viewOf(tb, watcher).port)
		if votes[node]++; node != nil && votes[node] > sentinels/2 {
			return node
		}
	}
	tb.Fatal("the sentinels know no master")
	return nil
}

// Replica is the other one.
func (s *Sentinel) Replica(tb testing.TB) *Server {
	tb.Helper()
	return s.other(s.Master(tb))
}

func (s *Sentinel) other(node *Server) *Server {
	if node == s.nodes[0] {
		return s.nodes[1]
	}
	return s.nodes[0]
}

// node is the one at a port.
func (s *Sentinel) node(port string) *Server {
	for _, node := range s.nodes {
		if node.publicPort() == port {
			return node
		}
	}
	return nil
}

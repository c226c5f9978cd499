package failover_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/testlog"
)

const (
	leaseTTL = 2 * time.Second
	// resumeTime is how long everything may take to go on after the servers do. They need two
	// seconds at least, and a reader without a group four to notice that its server is silent; then it
	// may connect to it once more, which takes another one.
	resumeTime = 4 * time.Second
	// hangTime is for how long a node is frozen or cut off.
	hangTime = 10 * time.Second
	// settleTime is how long it may take until all is as it should be.
	settleTime = 60 * time.Second
)

// servers are those that a client is made for.
type servers interface {
	Client(tb testing.TB, mutate ...func(*rueidis.ClientOption)) rueidis.Client
}

// stage is servers under load.
type stage struct {
	servers    servers
	node       func(t testing.TB, key string) *redistest.Server // that has a key
	option     func(*rueidis.ClientOption)                      // on top of the recommended ones
	durability redisstream.Durability
	log        *testlog.Log
	flows      []*flow
	stalls     *stalls

	writers sync.WaitGroup
	stop    chan struct{}
	ends    []func()
}

// stages are how many may be in use: more would have to share too few cores, and what they
// measure would say little.
var stages = make(chan struct{}, 1)

// play puts topics under load: two groups and a fan-out for each.
func play(t *testing.T, s *stage, topics map[string]int) {
	t.Helper()
	stages <- struct{}{}
	t.Cleanup(func() { <-stages })
	if s.option == nil {
		s.option = func(*rueidis.ClientOption) {}
	}
	s.stalls = watchStalls(t)
	s.log, s.stop = testlog.New(t), make(chan struct{})
	for topic, partitions := range topics {
		f := newFlow(topic, partitions, s.log)
		s.flows = append(s.flows, f)
		f.read(t, s, "billing", 2)
		f.read(t, s, "shipping", 1)
		f.read(t, s, "", 1)
	}
	finish := sync.OnceFunc(func() {
		close(s.stop)
		s.writers.Wait()
	})
	s.ends = append([]func(){finish}, s.ends...)
	t.Cleanup(s.end)
	for _, f := range s.flows {
		f.write(t, s)
	}
	s.awaitFlow(t)
}

func (s *stage) client(t *testing.T) rueidis.Client {
	t.Helper()
	return s.servers.Client(t, recommended, s.option)
}

func (s *stage) atEnd(f func()) { s.ends = append(s.ends, sync.OnceFunc(f)) }

func (s *stage) end() {
	for _, end := range s.ends {
		end()
	}
}

// awaitFlow waits until there is something new everywhere.
func (s *stage) awaitFlow(t *testing.T) {
	t.Helper()
	for _, f := range s.flows {
		since := time.Now()
		eventually(t, f.topic+" goes on", func() bool { return f.goesOn(since) })
	}
}

// during does something and makes sure that all goes on soon after the servers do, which is
// when what returns; or from some moment on, if it returns one.
func (s *stage) during(t *testing.T, name string, what func() (served time.Time)) {
	t.Helper()
	s.awaitFlow(t)
	s.log.Note("----- " + name)
	begin := time.Now()
	served := what()
	s.log.Note("----- done: " + name)
	s.awaitFlow(t)
	down := served.Sub(begin)
	worst, gaps := time.Duration(0), map[string]time.Duration{}
	for _, f := range s.flows {
		maps.Copy(gaps, f.gaps(begin))
	}
	for _, d := range gaps {
		worst = max(worst, d)
	}
	stalled := s.stalls.since(begin)
	t.Logf("%s: the servers needed %v; the longest pause was %v; the machine gave no time for %v",
		name, down.Round(time.Millisecond), worst.Round(time.Millisecond), stalled.Round(time.Millisecond))
	for _, who := range slices.Sorted(maps.Keys(gaps)) {
		if gaps[who] > down+resumeTime+stalled {
			t.Errorf("%s: %s had to wait for %v", name, who, gaps[who].Round(time.Millisecond))
		}
	}
}

// away has a node taken away and brought back after hangTime. It returns when another one had
// taken its place.
func (s *stage) away(take, bringBack func()) (served time.Time) {
	back := time.NewTimer(hangTime)
	take()
	served = time.Now()
	<-back.C
	bringBack()
	return served
}

// judge ends the load. What is stored has to come to all readers, and what was replicated has
// to be stored. It returns how many messages the servers have lost.
func (s *stage) judge(t *testing.T) (lost, published int) {
	t.Helper()
	s.ends[0]()
	for _, f := range s.flows {
		there := f.stored(t, s)
		for _, r := range f.readers {
			eventually(t, r.name+" gets everything", func() bool {
				for _, uuid := range f.missing(r) {
					if there[uuid] {
						return false
					}
				}
				return true
			})
			if f.partitions > 0 {
				require.Empty(t, r.disordered(), r.name)
			}
		}
		n := 0
		for uuid := range f.confirmed {
			if !there[uuid] {
				n++
			}
		}
		lost, published = lost+n, published+len(f.confirmed)
		var repeated []int
		for _, r := range f.readers {
			repeated = append(repeated, r.repeated())
		}
		t.Logf("%s: %d published, %d lost by the servers, %v came again; failures: %v", f.topic, len(f.confirmed), n, repeated, f.failures)
	}
	s.end()
	t.Logf("%d of %d lost", lost, published)
	if s.durability.Replicas > 0 {
		require.Zero(t, lost)
	}
	return lost, published
}

// stored are the messages that are in the streams now.
func (f *flow) stored(t *testing.T, s *stage) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	streams := []string{f.topic}
	if f.partitions > 1 {
		streams = nil
		for i := range f.partitions {
			streams = append(streams, fmt.Sprint(f.topic, ":", i))
		}
	}
	for _, stream := range streams {
		eventually(t, "what is in "+stream, func() bool {
			reply, err := s.node(t, stream).TryDo(t.Context(), "XRANGE", stream, "-", "+")
			entries, _ := reply.([]any)
			for _, e := range entries {
				fields, _ := e.([]any)[1].([]any)
				uuid, _ := fields[slices.Index(fields, any(redisstream.UUIDField))+1].(string)
				there[uuid] = true
			}
			return err == nil
		})
	}
	require.NotEmpty(t, there)
	return there
}

// replicated has each publish wait for the replica.
var replicated = redisstream.Durability{Replicas: 1}

// recommended are the options that users are told to take.
func recommended(o *rueidis.ClientOption) {
	r := redisstream.ClientOption(o.InitAddress...)
	r.Sentinel.MasterSet = o.Sentinel.MasterSet
	*o = r
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			require.FailNow(t, "waited in vain", what)
		case <-ticker.C:
		}
	}
}

package cluster_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/testlog"
)

const (
	topic      = "orders"
	group      = "g"
	partitions = 12
	members    = 3
	leaseTTL   = 2 * time.Second
	// slack is for a machine that is busy.
	slack = 3 * leaseTTL
	// publishEvery is how often each publishing goroutine does.
	publishEvery = 25 * time.Millisecond
	// settleTime is how long it may take until all is as it should be.
	settleTime = 30 * time.Second
)

// stage is a topic on a cluster, its members, and those who publish to it.
type stage struct {
	cluster *redistest.Cluster
	book    book
	log     *testlog.Log
	closed  []func()

	publishing sync.WaitGroup
	stop       chan struct{}
	mu         sync.Mutex     // protects the following field
	published  map[string]int // entry ID and partition: those of which Publish says that they are there
	failures   atomic.Int64
}

// stages are how many may be in use: more would have to share too few cores, and what they
// measure would say little.
var stages = make(chan struct{}, 2)

// newStage starts a cluster and the members.
func newStage(t *testing.T, ttl time.Duration, opts ...redistest.Option) *stage {
	t.Helper()
	stages <- struct{}{}
	t.Cleanup(func() { <-stages })
	s := &stage{
		cluster: redistest.StartCluster(t, 3, opts...), log: testlog.New(t),
		stop: make(chan struct{}), published: map[string]int{},
	}
	for i := range members {
		s.join(t, fmt.Sprint("member-", i), ttl)
	}
	s.awaitShares(t)
	return s
}

func count(string) int { return partitions }

// join adds a member with a client of its own.
func (s *stage) join(t *testing.T, name string, ttl time.Duration) {
	t.Helper()
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: s.cluster.Client(t), ConsumerGroup: group, Consumer: name, Partitions: count, LeaseTTL: ttl, CloseTimeout: leaseTTL,
	}, s.log.Logger(name))
	require.NoError(t, err)
	out, err := subscriber.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	var handlers sync.WaitGroup
	handlers.Go(func() {
		for msg := range out {
			p, h := s.book.begin(msg)
			handlers.Go(func() {
				s.book.gate.RLock()
				s.book.gate.RUnlock() //nolint:staticcheck // it waits
				s.book.end(p, h, msg)
			})
		}
	})
	leave := sync.OnceFunc(func() {
		begin := time.Now()
		require.NoError(t, subscriber.Close())
		handlers.Wait()
		require.Less(t, time.Since(begin), leaseTTL+slack, "closing takes too long")
	})
	t.Cleanup(leave)
	s.closed = append(s.closed, leave)
}

func stream(p int) string { return fmt.Sprint(topic, ":", p) }

// keysOf are keys of one partition.
func keysOf(p int) (keys []string) {
	for i := 0; len(keys) < 3; i++ {
		if key := fmt.Sprint("key-", i); redisstream.PartitionOf(key, partitions) == p {
			keys = append(keys, key)
		}
	}
	return keys
}

// publish has somebody publish to each partition, and somebody to all of them, until
// finish.
func (s *stage) publish(t *testing.T) {
	t.Helper()
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client: s.cluster.Client(t), Partitions: count, PartitionKey: redisstream.KeyFromMetadata("key"),
	}, s.log.Logger("publisher"))
	require.NoError(t, err)
	t.Cleanup(s.finish)
	for p := range partitions {
		s.publishing.Go(func() { s.publishTo(publisher, keysOf(p)) })
	}
	var some []string
	for p := range partitions {
		some = append(some, keysOf(p)[0]+"-", keysOf(p)[0]+"-")
	}
	s.publishing.Go(func() { s.publishTo(publisher, some[:partitions], some...) })
}

// finish ends publishing.
func (s *stage) finish() {
	if s.stop != nil {
		close(s.stop)
		s.stop = nil
	}
	s.publishing.Wait()
}

// publishTo publishes messages with these keys, a call for each message; and calls with all
// of the others.
func (s *stage) publishTo(publisher *redisstream.Publisher, single []string, together ...string) {
	stop := s.stop
	ticker := time.NewTicker(publishEvery)
	defer ticker.Stop()
	for i := 0; ; i++ {
		var batch message.Messages
		if len(together) == 0 {
			batch = message.Messages{newMessage(single[i%len(single)])}
		} else {
			for _, key := range together {
				batch = append(batch, newMessage(key))
			}
		}
		for len(batch) > 0 {
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
			batch = s.try(publisher, batch)
		}
	}
}

// send publishes some messages to a partition.
func (s *stage) send(t *testing.T, p, n int) {
	t.Helper()
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client: s.cluster.Client(t), Partitions: count, PartitionKey: redisstream.KeyFromMetadata("key"),
	}, nil)
	require.NoError(t, err)
	for range n {
		require.Empty(t, s.try(publisher, message.Messages{newMessage(keysOf(p)[0])}))
	}
}

// offset is how far a node has come with what its master writes.
func (s *stage) offset(t *testing.T, node *redistest.Server) string {
	t.Helper()
	info, _ := node.Do(t, "INFO", "replication").(string)
	_, rest, _ := strings.Cut(info, "slave_repl_offset:")
	if rest == "" {
		_, rest, _ = strings.Cut(info, "master_repl_offset:")
	}
	offset, _, _ := strings.Cut(rest, "\r")
	return offset
}

func newMessage(key string) *message.Message {
	msg := message.NewMessage(watermill.NewShortUUID(), message.Payload("x"))
	msg.Metadata.Set("key", key)
	return msg
}

// try returns the messages that have to be published again.
func (s *stage) try(publisher *redisstream.Publisher, batch message.Messages) message.Messages {
	ctx, receipt := redisstream.WithReceipt(context.Background())
	for _, msg := range batch {
		msg.SetContext(ctx)
	}
	err := publisher.Publish(topic, batch...)
	if err == nil {
		for i, id := range receipt.EntryIDs() {
			s.note(batch[i], id)
		}
		return nil
	}
	s.failures.Add(1)
	s.log.Logger("publisher").Error("Publish", err, nil)
	var failed *redisstream.PublishError
	if !errors.As(err, &failed) {
		return batch
	}
	var again message.Messages
	for _, o := range failed.Outcomes {
		if o.Err != nil {
			again = append(again, o.Message)
		} else {
			s.note(o.Message, o.EntryID)
		}
	}
	return again
}

func (s *stage) note(msg *message.Message, id string) {
	p := redisstream.PartitionOf(msg.Metadata.Get("key"), partitions)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published[fmt.Sprint(p, "/", id)] = p
}

// fields makes a map of a reply that is a list of names and values.
func fields(reply any) map[string]any {
	list, _ := reply.([]any)
	m := map[string]any{}
	for i := 0; i+1 < len(list); i += 2 {
		m[list[i].(string)] = list[i+1]
	}
	return m
}

// do asks the node that has a key. One that has just changed its place may refuse for a moment.
func (s *stage) do(t *testing.T, key string, args ...string) (reply any) {
	t.Helper()
	eventually(t, strings.Join(args, " "), func() bool {
		var err error
		reply, err = s.cluster.NodeOf(t, key).TryDo(t.Context(), args...)
		return err == nil
	})
	return reply
}

// lastID is the last one of a partition.
func (s *stage) lastID(t *testing.T, p int) string {
	t.Helper()
	id, _ := fields(s.do(t, stream(p), "XINFO", "STREAM", stream(p)))["last-generated-id"].(string)
	return id
}

// awaitHandled waits until the group has handled all of a partition up to an ID.
func (s *stage) awaitHandled(t *testing.T, p int, id string) {
	t.Helper()
	node := s.cluster.NodeOf(t, stream(p))
	eventually(t, fmt.Sprintf("partition %d is handled up to %s", p, id), func() bool {
		reply, err := node.TryDo(t.Context(), "XINFO", "GROUPS", stream(p))
		groups, _ := reply.([]any)
		if err != nil || len(groups) == 0 {
			return false
		}
		position, _ := fields(groups[0])["last-delivered-id"].(string)
		reply, err = node.TryDo(t.Context(), "XPENDING", stream(p), group, "-", id, "1")
		pending, _ := reply.([]any)
		return err == nil && compare(position, id) >= 0 && len(pending) == 0
	})
}

// awaitService waits until what was published until now is handled.
func (s *stage) awaitService(t *testing.T) {
	t.Helper()
	for p := range partitions {
		s.awaitHandled(t, p, s.lastID(t, p))
	}
}

// awaitShares waits until each member has an equal share.
func (s *stage) awaitShares(t *testing.T) {
	t.Helper()
	eventually(t, "the shares are even", func() bool {
		reply, err := s.cluster.NodeOf(t, topic).TryDo(t.Context(), "HGETALL", "{"+topic+"}:owned:"+group)
		owned, _ := reply.([]any)
		if err != nil {
			return false
		}
		all := map[string]bool{}
		for _, share := range fields(owned) {
			if strings.ContainsAny(share.(string), ";!") || strings.Count(share.(string), ",") != partitions/members-1 {
				return false
			}
			for p := range strings.SplitSeq(share.(string), ",") {
				all[p] = true
			}
		}
		return len(all) == partitions && len(owned) == 2*members
	})
}

// during does something and waits until all goes on: no partition may have been without an
// owner for longer than it took and a lease.
func (s *stage) during(t *testing.T, name string, what func()) {
	t.Helper()
	s.awaitService(t)
	begin := time.Now()
	s.log.Note("----- " + name)
	what()
	took := time.Since(begin)
	s.log.Note("----- done: " + name)
	s.awaitService(t)
	s.awaitShares(t)
	var pauses [partitions]time.Duration
	changed := 0
	for p := range partitions {
		pauses[p] = s.book.pause(p, begin)
		changed += s.book.epochs(p, begin) - 1
	}
	t.Logf("%s: took %v; pauses %v; %d changes of epochs; %d calls of Publish failed",
		name, took.Round(time.Millisecond), rounded(pauses), changed, s.failures.Swap(0))
	for p, pause := range pauses {
		require.Less(t, pause, took+leaseTTL+slack, "partition %d", p)
	}
}

func rounded(all [partitions]time.Duration) (out []string) {
	for _, d := range all {
		out = append(out, d.Round(10*time.Millisecond).String())
	}
	return out
}

// judge ends all and looks at what has happened. It returns how much the servers have lost
// of what Publish said that it is there.
func (s *stage) judge(t *testing.T) (lost int) {
	t.Helper()
	s.finish()
	s.awaitService(t)
	s.awaitShares(t)
	for p := range partitions {
		pending, _ := s.do(t, stream(p), "XPENDING", stream(p), group).([]any)
		require.Equal(t, int64(0), pending[0], "nothing is pending")
	}
	for _, leave := range s.closed {
		leave()
	}
	there := map[string]bool{}
	var total summary
	for p := range partitions {
		var ids []string
		entries, _ := s.do(t, stream(p), "XRANGE", stream(p), "-", "+").([]any)
		for _, e := range entries {
			id, _ := e.([]any)[0].(string)
			ids = append(ids, id)
			there[fmt.Sprint(p, "/", id)] = true
		}
		sum := s.book.judge(t, p, ids)
		total.handled += sum.handled
		total.repeated += sum.repeated
		total.overtaken += sum.overtaken
		total.lost += sum.lost
	}
	for _, id := range slices.Sorted(maps.Keys(s.published)) {
		if !there[id] {
			lost++
		}
	}
	t.Logf("%d published, %d of them lost by the servers; %+v", len(s.published), lost, total)
	if lost == 0 {
		require.Zero(t, total.lost)
		require.Zero(t, total.overtaken, "two members at a time")
	}
	return lost
}

// compare compares two IDs.
func compare(a, b string) int {
	parse := func(id string) (ms, seq int) {
		left, right, _ := strings.Cut(id, "-")
		ms, _ = strconv.Atoi(left)
		seq, _ = strconv.Atoi(right)
		return ms, seq
	}
	msA, seqA := parse(a)
	msB, seqB := parse(b)
	return cmp.Or(cmp.Compare(msA, msB), cmp.Compare(seqA, seqB))
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settleTime)
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

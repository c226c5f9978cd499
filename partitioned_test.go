package redisstream_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

const partitions = 8

func partitionedConfig(n int) redisstream.SubscriberConfig {
	return redisstream.SubscriberConfig{
		ConsumerGroup: "g",
		Partitions:    func(string) int { return n },
		LeaseTTL:      2 * time.Second,
		PartitionKey:  redisstream.KeyFromMetadata("key"),
		NackBackoff:   func(int) time.Duration { return time.Millisecond },
	}
}

// publishTo publishes messages with keys. The payloads of a key count up.
func publishTo(tb testing.TB, server *redistest.Server, topic string, n, keys, from int) {
	tb.Helper()
	msgs := make([]*message.Message, n*keys)
	for i := range msgs {
		key := fmt.Sprint("key-", i%keys)
		msgs[i] = message.NewMessage(fmt.Sprintf("%s/%d", key, from+i/keys), fmt.Append(nil, from+i/keys))
		msgs[i].Metadata.Set("key", key)
	}
	p := publisherWith(tb, redisstream.PublisherConfig{
		Client: server.Client(tb), Partitions: func(string) int { return partitions }, PartitionKey: redisstream.KeyFromMetadata("key"),
	})
	require.NoError(tb, p.Publish(topic, msgs...))
}

// inOrder notes what is acked, and checks that each key counts up.
type inOrder struct {
	mu   sync.Mutex
	next map[string]int
	busy map[int]int
	seen int
	bad  []string
}

func newInOrder() *inOrder { return &inOrder{next: map[string]int{}, busy: map[int]int{}} }

func (o *inOrder) begin(msg *message.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, _ := redisstream.PartitionFromContext(msg.Context())
	o.busy[p]++
	if o.busy[p] > 1 {
		o.bad = append(o.bad, fmt.Sprintf("two messages of partition %d at once", p))
	}
	key := msg.Metadata.Get("key")
	number, _ := strconv.Atoi(string(msg.Payload))
	if number > o.next[key] {
		o.bad = append(o.bad, fmt.Sprintf("%s: %d instead of %d", key, number, o.next[key]))
	}
	if number < o.next[key] {
		o.bad = append(o.bad, fmt.Sprintf("%s: %d again, after %d", key, number, o.next[key]-1))
	}
}

func (o *inOrder) end(msg *message.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, _ := redisstream.PartitionFromContext(msg.Context())
	o.busy[p]--
	o.next[msg.Metadata.Get("key")]++
	o.seen++
}

func (o *inOrder) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen
}

// consume handles messages at once, each in a goroutine, as the router does.
func (o *inOrder) consume(out <-chan *message.Message) *sync.WaitGroup {
	var all sync.WaitGroup
	all.Go(func() {
		for msg := range out {
			o.begin(msg)
			all.Go(func() {
				o.end(msg)
				msg.Ack()
			})
		}
	})
	return &all
}

func TestMembersSharePartitionsInOrder(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	topic, seen := newTopic(t), newInOrder()
	const keys, rounds, each = 40, 6, 25
	var subscribers []*redisstream.Subscriber
	var handling []*sync.WaitGroup
	for round := range rounds {
		if round < 3 {
			s := newSubscriber(t, server, partitionedConfig(partitions))
			subscribers = append(subscribers, s)
			handling = append(handling, seen.consume(subscribe(t, s, topic)))
		} else if round < 5 {
			require.NoError(t, subscribers[round-3].Close())
		}
		publishTo(t, server, topic, each, keys, round*each)
		eventually(t, healTime, func() bool { return seen.count() >= (round+1)*keys*each }, "all are handled")
	}
	require.NoError(t, subscribers[2].Close())
	for _, h := range handling {
		h.Wait()
	}
	require.Empty(t, seen.bad)
	require.Equal(t, keys*rounds*each, seen.count())
}

// lowestPending is the ID of the first entry that is pending in group g.
func lowestPending(t *testing.T, server *redistest.Server, stream string) string {
	t.Helper()
	summary, ok := server.Do(t, "XPENDING", stream, "g").([]any)
	require.True(t, ok)
	lowest, _ := summary[1].(string)
	return lowest
}

func TestPartitionIsTakenOverInOrderAfterACrash(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	topic := newTopic(t)
	client := server.Client(t)
	config := partitionedConfig(1)
	config.Client, config.CloseTimeout = client, 100*time.Millisecond
	crashed, err := redisstream.NewSubscriber(config, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, err := crashed.Subscribe(ctx, topic)
	require.NoError(t, err)
	publish(t, newPublisher(t, server.Client(t)), topic, 5)
	first := receive(t, out, healTime)
	require.True(t, first.Ack())
	second := receive(t, out, healTime)
	id, _ := redisstream.EntryIDFromContext(second.Context())
	eventually(t, healTime, func() bool { return lowestPending(t, server, topic) == id }, "the first ack arrives")
	client.Close() // as good as dead
	next := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	again := receive(t, next, 10*time.Second)
	require.Equal(t, second.UUID, again.UUID)
	require.True(t, again.Ack())
	select {
	case <-second.Context().Done():
		require.ErrorIs(t, context.Cause(second.Context()), redisstream.ErrPartitionLost)
	case <-time.After(healTime):
		require.Fail(t, "the context goes on")
	}
}

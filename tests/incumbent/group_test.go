package incumbent_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	incumbent "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// tally counts what the members of a group have handled.
type tally struct {
	mu   sync.Mutex // protects the following fields
	seen map[string]int
	by   map[string]int
}

func (c *tally) add(who, uuid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[uuid]++
	c.by[who]++
}

func (c *tally) distinct() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

// TestBothLibrariesShareAGroup: during a migration both libraries publish to one
// stream and consume from it in one group.
func TestBothLibrariesShareAGroup(t *testing.T) {
	t.Parallel()
	const topic, group, each = "orders", "billing", 1000
	server := redistest.Start(t)
	goRedis := func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: server.Addr()}) }

	subscribers := map[string]message.Subscriber{}
	publishers := map[string]message.Publisher{}
	for _, name := range []string{"theirs 1", "theirs 2"} {
		s, err := incumbent.NewSubscriber(incumbent.SubscriberConfig{Client: goRedis(), ConsumerGroup: group}, watermill.NopLogger{})
		require.NoError(t, err)
		p, err := incumbent.NewPublisher(incumbent.PublisherConfig{Client: goRedis()}, watermill.NopLogger{})
		require.NoError(t, err)
		subscribers[name], publishers[name] = s, p
	}
	for _, name := range []string{"ours 1", "ours 2"} {
		client := server.Client(t)
		s, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: client, ConsumerGroup: group, MinIdle: time.Minute}, nil)
		require.NoError(t, err)
		p, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, nil)
		require.NoError(t, err)
		subscribers[name], publishers[name] = s, p
	}

	count := tally{seen: map[string]int{}, by: map[string]int{}}
	var consuming, publishing sync.WaitGroup
	for name, s := range subscribers {
		out, err := s.Subscribe(context.Background(), topic)
		require.NoError(t, err)
		consuming.Go(func() {
			for msg := range out {
				count.add(name, msg.Metadata.Get("from")+string(msg.Payload)+msg.UUID)
				msg.Ack()
			}
		})
	}
	for name, p := range publishers {
		publishing.Go(func() {
			for range each {
				msg := message.NewMessage(watermill.NewUUID(), []byte{0, 0xff, 'x'})
				msg.Metadata.Set("from", name)
				if err := p.Publish(topic, msg); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	require.Eventually(t, func() bool { return count.distinct() == each*len(publishers) }, 30*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return pending(t, server, topic, group) == 0 }, 5*time.Second, 10*time.Millisecond)
	for _, s := range subscribers {
		require.NoError(t, s.Close())
	}
	consuming.Wait()
	for _, p := range publishers {
		require.NoError(t, p.Close())
	}

	for id, times := range count.seen {
		require.Equal(t, 1, times, id)
	}
	for name := range subscribers {
		require.NotZero(t, count.by[name], "%s took no part", name)
	}
	require.Equal(t, int64(0), server.Do(t, "EXISTS", "{orders}:dead:billing"), "an entry was undecodable")
	t.Log("handled:", count.by)
}

func pending(tb testing.TB, server *redistest.Server, topic, group string) int64 {
	tb.Helper()
	summary, ok := server.Do(tb, "XPENDING", topic, group).([]any)
	require.True(tb, ok)
	n, ok := summary[0].(int64)
	require.True(tb, ok)
	return n
}

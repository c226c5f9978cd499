package redisstream_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// Goroutines are those of the whole process, so nothing else may run.
func TestMembersLeaveNothingBehind(t *testing.T) { //nolint:paralleltest // see above
	server := redistest.Start(t)
	client := server.Client(t, func(o *rueidis.ClientOption) { o.PipelineMultiplex = -1 }) // others are opened at any time
	config := partitionedConfig(4)
	config.Client, config.MaxLease = client, 10*config.LeaseTTL
	s := newSubscriber(t, server, config)
	p := publisherWith(t, redisstream.PublisherConfig{Client: client, Partitions: config.Partitions})
	live := func(messages int) {
		ctx, cancel := context.WithCancel(t.Context())
		out, err := s.Subscribe(ctx, "topic")
		require.NoError(t, err)
		if messages > 0 {
			publish(t, p, "topic", messages)
			receiveAndAck(t, out, messages, healTime)
		}
		cancel()
		for msg := range out {
			msg.Nack()
		}
	}
	live(20)
	before, connections := goleak.IgnoreCurrent(), server.Connections(t)
	for i := range 40 {
		live(20 * (i % 2)) // half of them end before they have anything
	}
	goleak.VerifyNone(t, before, goleak.Cleanup(func(int) {}))
	require.LessOrEqual(t, server.Connections(t), connections)
	for _, key := range []string{"{topic}:members:g", "{topic}:owned:g"} {
		require.Equal(t, int64(0), server.Do(t, "EXISTS", key), "nobody is a member")
	}
}

func TestWhatIsGrantedToALeavingMemberIsGivenBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy, config := cutOff(t, server)
	config.Partitions = func(string) int { return 1 }
	proxy.Delay(40 * time.Millisecond) // so an answer is under way for long
	s := newSubscriber(t, server, config)
	for range 3 {
		topic := newTopic(t)
		owner := func() any { return server.Do(t, "HGET", "{"+topic+"}:lease:g", "owner") }
		ctx, cancel := context.WithCancel(t.Context())
		out, err := s.Subscribe(ctx, topic)
		require.NoError(t, err)
		for owner() == nil {
			runtime.Gosched()
		}
		cancel()
		require.Empty(t, <-out)
		require.Empty(t, owner(), "before the end")
	}
}

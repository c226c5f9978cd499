package redisstream_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// cutOff returns a client whose connection to the server a test can cut.
func cutOff(t *testing.T, server *redistest.Server) (*redistest.Proxy, redisstream.SubscriberConfig) {
	t.Helper()
	proxy := redistest.NewProxy(t, server.Addr())
	config := partitionedConfig(1)
	config.Client, config.CloseTimeout = server.Client(t, through(proxy)), healTime
	return proxy, config
}

func start(t *testing.T, config redisstream.SubscriberConfig, topic string) <-chan *message.Message {
	t.Helper()
	s, err := redisstream.NewSubscriber(config, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return subscribe(t, s, topic)
}

// token is the fencing token of a message.
func token(t *testing.T, msg *message.Message) int64 {
	t.Helper()
	n, ok := redisstream.FencingTokenFromContext(msg.Context())
	require.True(t, ok)
	return n
}

func TestCutOffOwnerStopsBeforeAnotherBegins(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	publish(t, newPublisher(t, server.Client(t)), topic, 5)
	proxy, config := cutOff(t, server)
	out := start(t, config, topic)
	first := receive(t, out, healTime)
	standby := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	requireNone(t, standby, 100*time.Millisecond)
	proxy.Block()
	again := receive(t, standby, healTime)
	require.Error(t, first.Context().Err(), "it ended before that")
	require.ErrorIs(t, context.Cause(first.Context()), redisstream.ErrPartitionLost)
	require.Equal(t, first.UUID, again.UUID)
	require.Greater(t, token(t, again), token(t, first))
	require.True(t, first.Ack(), "its ack has no effect")
	proxy.Unblock()
	requireNone(t, out, 300*time.Millisecond)
	id, _ := redisstream.EntryIDFromContext(again.Context())
	require.Equal(t, id, lowestPending(t, server, topic))
	require.True(t, again.Ack())
	for range 4 {
		require.True(t, receive(t, standby, healTime).Ack())
	}
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "all is acked")
}

func TestExclusiveConsumerGoesOnAfterAFlush(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	out := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	p := newPublisher(t, server.Client(t))
	uuids := publish(t, p, topic, 3)
	require.Equal(t, uuids, receiveAndAck(t, out, 3, healTime))
	server.Do(t, "FLUSHALL")
	uuids = publish(t, p, topic, 3)
	require.Equal(t, uuids, receiveAndAck(t, out, 3, healTime))
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "all is acked")
}

// What was acked before does not come again; what was not does.
func TestPartitionGoesOnWhereItWasWhenItsGroupIsGone(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	out := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	p := newPublisher(t, server.Client(t))
	publish(t, p, topic, 3)
	receiveAndAck(t, out, 3, healTime)
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "all is acked")
	server.Do(t, "XGROUP", "DESTROY", topic, "g")
	uuids := publish(t, p, topic, 3)
	require.Equal(t, uuids, receiveAndAck(t, out, 3, healTime))
	msg := publish(t, p, topic, 2)
	open := receive(t, out, healTime)
	id, _ := redisstream.EntryIDFromContext(open.Context())
	eventually(t, healTime, func() bool { return lowestPending(t, server, topic) == id }, "the acks arrive")
	server.Do(t, "XGROUP", "DESTROY", topic, "g")
	select {
	case <-open.Context().Done():
	case <-time.After(healTime):
		require.Fail(t, "it was not noticed")
	}
	open.Nack()
	require.Equal(t, msg, receiveAndAck(t, out, 2, healTime))
	requireNone(t, out, 50*time.Millisecond)
}

// An earlier owner's read takes entries under our name, and then there are others. All at
// once, so that our own read does not come between.
func TestReadThatIsExecutedLateLosesNoOrder(t *testing.T) {
	t.Parallel()
	//nolint:dupword // Lua repeats its keywords
	const late = `
for _, count in ipairs(ARGV) do
  if count == 'read' then
    redis.call('XREADGROUP', 'GROUP', 'g', 'p0', 'STREAMS', KEYS[1], '>')
  else
    redis.call('XADD', KEYS[1], '*', '_watermill_message_uuid', count, 'metadata', '', 'payload', '')
  end
end`
	server, topic := redistest.Start(t), newTopic(t)
	out := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	publish(t, newPublisher(t, server.Client(t)), topic, 1)
	receiveAndAck(t, out, 1, healTime) // now all that was pending before is known
	next, script := 0, []string{"EVAL", late, "1", topic}
	for _, steps := range []string{"ara", "aaaraa", "ar", "rara", "aaaar", "a", "arar"} {
		args := script
		for _, step := range steps {
			if step == 'r' {
				args = append(args, "read")
				continue
			}
			args = append(args, strconv.Itoa(next))
			next++
		}
		server.Do(t, args...)
	}
	for i := range next {
		msg := receive(t, out, healTime)
		require.Equal(t, strconv.Itoa(i), msg.UUID)
		n, _ := redisstream.DeliveryCountFromContext(msg.Context())
		require.Equal(t, int64(1), n)
		require.True(t, msg.Ack())
	}
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "all is acked")
}

// As after a failover that has lost the last writes.
func TestAcksThatTheServerHasForgottenAreNoticed(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	out := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	p := newPublisher(t, server.Client(t))
	publish(t, p, topic, 3)
	first := receive(t, out, healTime)
	id, _ := redisstream.EntryIDFromContext(first.Context())
	require.True(t, first.Ack())
	receiveAndAck(t, out, 2, healTime)
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "all is acked")
	server.Do(t, "XCLAIM", topic, "g", "p0", "0", id, "FORCE", "JUSTID")
	publish(t, p, topic, 1)
	last := receive(t, out, healTime)
	require.True(t, last.Ack())
	require.Equal(t, first.UUID, receiveAndAck(t, out, 1, healTime)[0])
	require.Equal(t, last.UUID, receiveAndAck(t, out, 1, healTime)[0], "its ack was not taken, as it came after what was not acked")
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "all is acked")
}

// The same when nothing new comes, so that there are no acks that could notice it.
func TestForgottenAcksAreNoticedInAQuietPartition(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(1)
	config.LeaseTTL = time.Minute // its owner remains
	out := subscribe(t, newSubscriber(t, server, config), topic)
	uuids := publish(t, newPublisher(t, server.Client(t)), topic, 2)
	receiveAndAck(t, out, 1, healTime)
	last := receive(t, out, healTime)
	id, _ := redisstream.EntryIDFromContext(last.Context())
	require.True(t, last.Ack())
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "all is acked")
	server.Do(t, "XCLAIM", topic, "g", "p0", "0", id, "FORCE", "JUSTID")
	server.Do(t, "CLIENT", "KILL", "TYPE", "normal")
	require.Equal(t, uuids[1:], receiveAndAck(t, out, 1, healTime))
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "all is acked")
}

func TestLeaverGivesUpEachPartitionAsSoonAsItCan(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(partitions)
	config.LeaseTTL = 10 * time.Second // nothing here waits for it
	first := newSubscriber(t, server, config)
	out := subscribe(t, first, topic)
	publishTo(t, server, topic, 1, 64, 0)
	slow := receive(t, out, healTime)
	stays, _ := redisstream.PartitionFromContext(slow.Context())
	second := subscribe(t, newSubscriber(t, server, config), topic)
	closed := make(chan error, 1)
	go func() { closed <- first.Close() }()
	seen := map[int]bool{}
	for len(seen) < partitions-1 {
		msg := receive(t, second, healTime)
		p, _ := redisstream.PartitionFromContext(msg.Context())
		require.NotEqual(t, stays, p)
		seen[p] = true
		require.True(t, msg.Ack())
	}
	require.NoError(t, slow.Context().Err())
	require.True(t, slow.Ack())
	require.NoError(t, <-closed)
	for msg := receive(t, second, healTime); ; msg = receive(t, second, healTime) {
		require.NotEqual(t, slow.UUID, msg.UUID)
		require.True(t, msg.Ack())
		if p, _ := redisstream.PartitionFromContext(msg.Context()); p == stays {
			break
		}
	}
}

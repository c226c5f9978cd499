package redisstream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// allPending is how many messages of a topic are not acked.
func allPending(t *testing.T, server *redistest.Server, topic string) (n int64) {
	t.Helper()
	for i := range partitions {
		n += pendingCount(t, server, fmt.Sprintf("%s:%d", topic, i), "g")
	}
	return n
}

func TestHandlerThatGoesOnDoesNotHoldUpALostPartition(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	proxy, config := cutOff(t, server)
	config.Partitions, config.LeaseTTL, config.CloseTimeout = func(string) int { return partitions }, time.Second, time.Minute
	stuck := start(t, config, topic)
	publishTo(t, server, topic, 1, 4*partitions, 0)
	for range partitions { // one of each, and none is ever settled
		msg := receive(t, stuck, healTime)
		t.Cleanup(func() { msg.Ack() })
	}
	config = partitionedConfig(partitions)
	config.LeaseTTL = time.Second
	out := subscribe(t, newSubscriber(t, server, config), topic)
	proxy.Block()
	seen := newInOrder()
	seen.consume(out)
	eventually(t, healTime, func() bool { return allPending(t, server, topic) == 0 }, "the other one takes all")
	proxy.Unblock()
	requireNone(t, stuck, 2*time.Second) // it is a member again, and would have a half of them
	publishTo(t, server, topic, 1, 4*partitions, 1)
	eventually(t, healTime, func() bool { return seen.count() == 2*4*partitions }, "all are handled")
	require.Empty(t, seen.bad)
}

func TestMemberThatGetsNoAnswersInTimeLeavesItsShareToOthers(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	proxy, config := cutOff(t, server)
	config.Partitions, config.LeaseTTL = func(string) int { return partitions }, time.Second
	seen := newInOrder()
	seen.consume(start(t, config, topic))
	config = partitionedConfig(partitions)
	config.LeaseTTL = time.Second
	seen.consume(subscribe(t, newSubscriber(t, server, config), topic))
	publishTo(t, server, topic, 1, 4*partitions, 0)
	eventually(t, healTime, func() bool { return allPending(t, server, topic) == 0 }, "all are handled")
	proxy.Delay(300 * time.Millisecond) // a command is executed, and its answer comes after its time
	publishTo(t, server, topic, 1, 4*partitions, 1)
	eventually(t, healTime, func() bool { return seen.count() >= 2*4*partitions && allPending(t, server, topic) == 0 }, "the other one takes all")
	eventually(t, healTime, func() bool { return server.Do(t, "HLEN", fmt.Sprintf("{%s}:owned:g", topic)) == int64(1) }, "it is forgotten")
	proxy.Delay(0)
	eventually(t, healTime, func() bool {
		reply := server.Do(t, "HVALS", fmt.Sprintf("{%s}:owned:g", topic)).([]any)
		return len(reply) == 2 && len(reply[0].(string)) == len(reply[1].(string))
	}, "the shares are even again")
}

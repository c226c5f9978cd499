//go:build !race

package universal_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// reconnectMessages is how many messages the suite's test publishes.
const reconnectMessages = 10000

// TestReconnect kills the server, or the node of the topic, twice under load and starts it again. The
// suite's own test has a data race, so it can't run with the race detector. The
// server syncs each command to disk: it would lose what it has acknowledged
// otherwise, and the test counts messages.
func TestReconnect(t *testing.T) {
	t.Parallel()
	p := profiles()["A"]
	on := deploy(t, redistest.AppendOnly("always"))(t)
	id := tests.TestID(watermill.NewUUID())
	p.features.GenerateTopicFunc = func(tests.TestContext) string { return "topic-" + string(id) }
	p.features.RestartServiceCommand = on.node(t, "topic-"+string(id)).RestartCommand(t)
	one, _ := p.constructors(on)
	before := len(reconnectGoroutines())
	patient := func(t *testing.T) (message.Publisher, message.Subscriber) {
		t.Helper()
		publisher, subscriber := one(t)
		ours, ok := subscriber.(*redisstream.Subscriber)
		require.True(t, ok)
		return publisher, lastWaits{ours, before + 1}
	}
	tests.TestReconnect(t, tests.TestContext{TestID: id, Features: p.features}, patient)
}

// lastWaits hands out the last message when the suite has noted all that it has
// published: the suite compares at once, and a message may come sooner than the
// return of its Publish.
type lastWaits struct {
	*redisstream.Subscriber
	collectors int
}

func (s lastWaits) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := s.Subscriber.Subscribe(ctx, topic)
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		seen := make(map[string]bool)
		for msg := range in {
			seen[msg.UUID] = true
			for len(seen) == reconnectMessages && !s.noted() {
				time.Sleep(time.Millisecond)
			}
			select {
			case out <- msg:
			case <-msg.Context().Done():
			}
		}
	}()
	return out, err
}

// noted tells whether of the suite's goroutines only the one is left that
// collects what was published, and waits for more. It never ends, so those of
// earlier runs are there too.
func (s lastWaits) noted() bool {
	stacks := reconnectGoroutines()
	for _, stack := range stacks {
		if !strings.Contains(stack, "[chan receive") {
			return false
		}
	}
	return len(stacks) == s.collectors
}

// reconnectGoroutines returns the stacks of the goroutines that the suite's test
// has started itself.
func reconnectGoroutines() []string {
	buf := make([]byte, 1<<20)
	for n := runtime.Stack(buf, true); n == len(buf); n = runtime.Stack(buf, true) {
		buf = make([]byte, 2*len(buf))
	}
	var stacks []string
	for stack := range strings.SplitSeq(strings.TrimRight(string(buf), "\x00"), "\n\n") {
		if strings.Contains(stack, "created by github.com/ThreeDotsLabs/watermill/pubsub/tests.TestReconnect in goroutine") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

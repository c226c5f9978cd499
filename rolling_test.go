package redisstream_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// load publishes the payloads "0", "1", … at a rate until stop is called, which
// returns how many they were.
func load(tb testing.TB, topic string, perSecond int) (stop func() int) {
	tb.Helper()
	p, done, count := newPublisher(tb, shared.Client(tb)), make(chan struct{}), make(chan int)
	go func() {
		start := time.Now()
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		n := 0
		for {
			select {
			case <-done:
				count <- n
				return
			case <-ticker.C:
			}
			for due := int(time.Since(start).Seconds() * float64(perSecond)); n < due; n++ {
				msg := message.NewMessage(watermill.NewUUID(), []byte(strconv.Itoa(n)))
				if err := p.Publish(topic, msg); err != nil {
					tb.Errorf("publish: %v", err)
				}
			}
		}
	}()
	return func() int {
		close(done)
		return <-count
	}
}

// instance is a Watermill router with one handler, as a process would have it.
type instance struct {
	router *message.Router
	cancel context.CancelFunc
	ended  chan error
}

func startInstance(tb testing.TB, topic, name string, maxInFlight int, got *tally) *instance {
	tb.Helper()
	s := newSubscriber(tb, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MaxInFlight: maxInFlight})
	router, err := message.NewRouter(message.RouterConfig{}, nil)
	require.NoError(tb, err)
	router.AddConsumerHandler("handler", topic, s, func(msg *message.Message) error {
		got.add(name, msg)
		<-time.After(5 * time.Millisecond)
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{router: router, cancel: cancel, ended: make(chan error, 1)}
	go func() { i.ended <- router.Run(ctx) }()
	tb.Cleanup(cancel)
	<-router.Running()
	return i
}

func TestRollingRestartsHandleEverythingOnce(t *testing.T) {
	t.Parallel()
	stops := map[string]func(i *instance) error{
		"Cancel": func(i *instance) error { i.cancel(); return <-i.ended },
		"Close": func(i *instance) error {
			if err := i.router.Close(); err != nil {
				return err
			}
			return <-i.ended
		},
	}
	for name, stop := range stops {
		for maxInFlight, rate := range map[int]int{1: 100, 8: 300} {
			t.Run(name+"MaxInFlight"+strconv.Itoa(maxInFlight), func(t *testing.T) {
				t.Parallel()
				topic, got := newTopic(t), newTally()
				current := startInstance(t, topic, "0", maxInFlight, got)
				stopLoad := load(t, topic, rate)
				for restart := 1; restart <= 5; restart++ {
					next := strconv.Itoa(restart)
					<-time.After(time.Second) // under load
					successor := startInstance(t, topic, next, maxInFlight, got)
					eventually(t, 10*time.Second, func() bool { return got.of(next) > 0 }, "the new instance works")
					require.NoError(t, stop(current))
					current = successor
				}
				<-time.After(time.Second)
				total := stopLoad()
				eventually(t, 10*time.Second, func() bool {
					return got.distinct() == total && pendingCount(t, shared, topic, "g") == 0
				}, "everything is handled")
				require.NoError(t, stop(current))
				got.requireOnce(t, 0, total)
				for i := 1; i < len(got.times); i++ {
					require.Less(t, got.times[i].Sub(got.times[i-1]), 2*time.Second, "gap before hand-out %d of %d", i, total)
				}
			})
		}
	}
}

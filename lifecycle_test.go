package redisstream_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// modes are a subscription without and with a group.
func modes(t *testing.T, test func(t *testing.T, group string)) {
	t.Helper()
	for _, group := range []string{"", "g"} {
		t.Run("group="+group, func(t *testing.T) {
			t.Parallel()
			test(t, group)
		})
	}
}

// within runs something that has to end in time, and returns its error.
func within(tb testing.TB, d time.Duration, f func() error) error {
	tb.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		require.FailNow(tb, "it takes too long", "more than %v", d)
		return nil
	}
}

func subscribeError(s *redisstream.Subscriber, ctx context.Context, topic string) func() error { //nolint:revive // the context belongs to the call
	return func() error {
		_, err := s.Subscribe(ctx, topic)
		return err
	}
}

func TestFirstSubscribeGivesUpWhenTheServerIsAway(t *testing.T) {
	t.Parallel()
	for _, outage := range []string{"killed", "frozen"} {
		t.Run(outage, func(t *testing.T) {
			t.Parallel()
			modes(t, func(t *testing.T, group string) {
				server := redistest.Start(t)
				s := newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: group})
				if outage == "killed" {
					server.Kill(t)
				} else {
					server.Pause(t)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				require.Error(t, within(t, 3*time.Second, subscribeError(s, ctx, "orders")))
				start := time.Now()
				require.Error(t, within(t, 13*time.Second, subscribeError(s, context.Background(), "orders")))
				require.Greater(t, time.Since(start), 5*time.Second, "it tries for a while")
			})
		})
	}
}

func TestFirstSubscribeWaitsForAServerThatComesBack(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, group string) {
		server := redistest.Start(t)
		s := newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: group})
		publisher := newPublisher(t, server.Client(t))
		server.Kill(t)
		type result struct {
			out <-chan *message.Message
			err error
		}
		done := make(chan result, 1)
		go func() {
			out, err := s.Subscribe(context.Background(), "orders")
			done <- result{out, err}
		}()
		select {
		case r := <-done:
			require.FailNow(t, "it has not waited", r.err)
		case <-time.After(time.Second):
		}
		server.Restart(t)
		r := <-done
		require.NoError(t, r.err)
		receiveAndAckAll(t, r.out, publish(t, publisher, "orders", 3))
	})
}

func TestFirstSubscribeReturnsAtOnceWhatOnlyAnOperatorCanMend(t *testing.T) {
	t.Parallel()
	t.Run("WRONGTYPE", func(t *testing.T) {
		t.Parallel()
		modes(t, func(t *testing.T, group string) {
			topic := newTopic(t)
			shared.Do(t, "SET", topic, "x")
			s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group})
			require.ErrorContains(t, within(t, time.Second, subscribeError(s, context.Background(), topic)), "WRONGTYPE")
		})
	})
	for _, right := range []string{"xgroup", "xinfo", "evalsha", "xpending", "xack", "xclaim", "xreadgroup", "xrange"} {
		t.Run("NOPERM "+right, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			s := newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: "g"})
			server.Do(t, "ACL", "SETUSER", "default", "-"+right)
			err := within(t, time.Second, subscribeError(s, context.Background(), "orders"))
			require.ErrorContains(t, err, "NOPERM")
			require.ErrorContains(t, err, right, "it names the missing right")
		})
	}
}

func TestTopicsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for topic, groups := range map[string][]string{
		"":        {"", "g"},
		"STREAMS": {"", "g"},
		"streams": {"", "g"},
		"a}b":     {"g"},
		"{}x":     {"g"},
	} {
		for _, group := range groups {
			s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group})
			var bad *redisstream.ConfigError
			require.ErrorAs(t, subscribeError(s, t.Context(), topic)(), &bad, "%q in group %q", topic, group)
			require.Equal(t, "topic", bad.Field)
			require.Equal(t, topic, bad.Value)
			require.ErrorAs(t, s.SubscribeInitialize(topic), &bad, "%q in group %q", topic, group)
		}
	}
}

func TestTwoTopicsWithTheSameKeysAreRefusedOnOneClient(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	first := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", Client: client})
	second := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "h", Client: client})
	ctx, cancel := context.WithCancel(t.Context())
	out, err := first.Subscribe(ctx, topic)
	require.NoError(t, err)
	var bad *redisstream.ConfigError
	require.ErrorAs(t, subscribeError(second, t.Context(), "{"+topic+"}")(), &bad)
	require.Equal(t, "topic", bad.Field)
	subscribe(t, second, topic) // the same topic is no trouble
	cancel()
	for range out {
	}
	require.ErrorAs(t, subscribeError(first, t.Context(), "{"+topic+"}")(), &bad, "the other subscription still uses them")
	require.NoError(t, second.Close())
	require.NoError(t, subscribeError(first, t.Context(), "{"+topic+"}")())
}

// This test is not parallel: it counts the goroutines of the process.
func TestSubscriptionsLeaveNothingBehind(t *testing.T) { //nolint:paralleltest // see above
	for _, group := range []string{"", "g"} { //nolint:paralleltest // see above
		t.Run("group="+group, func(t *testing.T) {
			server := redistest.Start(t)
			client := server.Client(t, func(o *rueidis.ClientOption) { o.PipelineMultiplex = -1 }) // others are opened at any time
			s := newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: group, Client: client})
			publisher := newPublisher(t, client)
			var warmUp sync.WaitGroup // the client starts goroutines when it is first used by many at once
			for range 50 {
				warmUp.Go(func() { cycle(t, s, nil, "warm-up") })
			}
			warmUp.Wait()
			cycle(t, s, publisher, "warm-up")
			before := goleak.IgnoreCurrent()
			connections := server.Connections(t)

			for i := range 1000 {
				if i%100 == 0 {
					cycle(t, s, publisher, "one")
					continue
				}
				cycle(t, s, nil, "one")
			}
			var all sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			for i := range 200 {
				out, err := s.Subscribe(ctx, "many-"+strconv.Itoa(i%20))
				require.NoError(t, err)
				all.Go(func() {
					for msg := range out {
						msg.Ack()
					}
				})
			}
			for i := range 20 {
				publish(t, publisher, "many-"+strconv.Itoa(i), 20)
			}
			cancel()
			all.Wait()

			goleak.VerifyNone(t, before)
			eventually(t, healTime, func() bool { return server.Connections(t) == connections }, "no connection is left")
			if group != "" {
				require.Empty(t, consumers(t, server, "one", group))
			}
			for i := range 20 {
				if group != "" {
					require.Subset(t, []string{"~released"}, consumers(t, server, "many-"+strconv.Itoa(i), group))
				}
			}
		})
	}
}

// cycle is the life of a subscription, with a message if there is a publisher.
func cycle(tb testing.TB, s *redisstream.Subscriber, publisher message.Publisher, topic string) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	out, err := s.Subscribe(ctx, topic)
	require.NoError(tb, err)
	if publisher != nil {
		receiveAndAckAll(tb, out, publish(tb, publisher, topic, 1))
	}
	cancel()
	select {
	case _, open := <-out:
		require.False(tb, open)
	case <-time.After(healTime):
		require.FailNow(tb, "the subscription does not end")
	}
}

// requireClosed fails unless the channel is closed by now.
func requireClosed(tb testing.TB, out <-chan *message.Message) {
	tb.Helper()
	select {
	case _, open := <-out:
		require.False(tb, open, "the channel is not closed but has a message")
	default:
		require.FailNow(tb, "the channel is not closed")
	}
}

// predicament is a situation in which a subscription has to end all the same.
type predicament struct {
	name string
	// bring the subscription into it.
	bring func(tb testing.TB, server *redistest.Server, out <-chan *message.Message)
}

var predicaments = []predicament{
	{"nobody reads", func(testing.TB, *redistest.Server, <-chan *message.Message) {}},
	{"a handler hangs", func(tb testing.TB, _ *redistest.Server, out <-chan *message.Message) {
		tb.Helper()
		receive(tb, out, healTime)
	}},
	{"killed server", func(tb testing.TB, server *redistest.Server, out <-chan *message.Message) {
		tb.Helper()
		receive(tb, out, healTime)
		server.Kill(tb)
	}},
	{"killed server with an ack", func(tb testing.TB, server *redistest.Server, out <-chan *message.Message) {
		tb.Helper()
		msg := receive(tb, out, healTime)
		server.Kill(tb)
		msg.Ack()
	}},
	{"frozen server", func(tb testing.TB, server *redistest.Server, out <-chan *message.Message) {
		tb.Helper()
		receive(tb, out, healTime)
		server.Pause(tb)
	}},
	{"frozen server with an ack", func(tb testing.TB, server *redistest.Server, out <-chan *message.Message) {
		tb.Helper()
		msg := receive(tb, out, healTime)
		server.Pause(tb)
		msg.Ack()
	}},
	{"frozen server, idle", func(tb testing.TB, server *redistest.Server, out <-chan *message.Message) {
		tb.Helper()
		for range 10 {
			receive(tb, out, healTime).Ack()
		}
		awaitBlockedReads(tb, server, 1)
		server.Pause(tb)
	}},
}

func TestSubscriptionEndsInTimeWhateverHappens(t *testing.T) {
	t.Parallel()
	const closeTimeout = time.Second
	for _, p := range predicaments {
		for _, way := range []string{"close", "cancel"} {
			t.Run(p.name+", "+way, func(t *testing.T) {
				t.Parallel()
				modes(t, func(t *testing.T, group string) {
					server := redistest.Start(t)
					publisher := newPublisher(t, server.Client(t))
					s := newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: group, CloseTimeout: closeTimeout, Start: redisstream.StartOldest()})
					publish(t, publisher, "orders", 10)
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					out, err := s.Subscribe(ctx, "orders")
					require.NoError(t, err)
					p.bring(t, server, out)

					start := time.Now()
					if way == "cancel" {
						cancel()
						if p.name == "nobody reads" { // the channel is all there is to see
							time.Sleep(100 * time.Millisecond)
						}
						select {
						case _, open := <-out:
							require.False(t, open)
						case <-time.After(closeTimeout + 3*time.Second):
							require.FailNow(t, "the channel is not closed")
						}
						return
					}
					require.NoError(t, s.Close())
					require.Less(t, time.Since(start), closeTimeout+3*time.Second)
					requireClosed(t, out)
				})
			})
		}
	}
}

func TestEveryCloseWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", CloseTimeout: time.Second})
	publish(t, publisher, topic, 1)
	out := subscribe(t, s, topic)
	receive(t, out, healTime) // and hang
	var closes sync.WaitGroup
	for range 5 {
		closes.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			select {
			case _, open := <-out:
				if open {
					t.Error("a message after Close")
				}
			default:
				t.Error("Close returned before the end")
			}
		})
	}
	closes.Wait()
	require.NoError(t, s.Close())
	_, err := s.Subscribe(t.Context(), topic)
	require.ErrorIs(t, err, redisstream.ErrSubscriberClosed)
	require.ErrorIs(t, s.SubscribeInitialize(topic), redisstream.ErrSubscriberClosed)
}

func TestCloseEndsASubscribeInProgress(t *testing.T) {
	t.Parallel()
	for _, outage := range []string{"killed", "frozen"} {
		t.Run(outage, func(t *testing.T) {
			t.Parallel()
			modes(t, func(t *testing.T, group string) {
				server := redistest.Start(t)
				s := newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: group, CloseTimeout: time.Second})
				if outage == "killed" {
					server.Kill(t)
				} else {
					server.Pause(t)
				}
				failed := make(chan error, 1)
				go func() { failed <- subscribeError(s, context.Background(), "orders")() }()
				select {
				case err := <-failed:
					require.FailNow(t, "it has not waited", err)
				case <-time.After(200 * time.Millisecond):
				}
				require.NoError(t, within(t, 4*time.Second, s.Close))
				select {
				case err := <-failed:
					require.ErrorIs(t, err, redisstream.ErrSubscriberClosed)
				case <-time.After(time.Second):
					require.FailNow(t, "Subscribe goes on after Close")
				}
			})
		})
	}
}

func TestMessagesGivenUpAtShutdownAreNacked(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, group string) {
		topic := newTopic(t)
		publisher := newPublisher(t, shared.Client(t))
		s := newSubscriber(t, shared, redisstream.SubscriberConfig{
			ConsumerGroup: group, CloseTimeout: time.Second, MaxInFlight: 3, Start: redisstream.StartOldest(),
		})
		publish(t, publisher, topic, 3)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		out, err := s.Subscribe(ctx, topic)
		require.NoError(t, err)
		var held []*message.Message
		for range 3 {
			held = append(held, receive(t, out, healTime))
		}
		start := time.Now()
		cancel()
		require.NoError(t, heldFor(held[0], 500*time.Millisecond), "the context goes on while the subscription drains")
		require.True(t, held[1].Ack())

		<-held[0].Context().Done()
		require.GreaterOrEqual(t, time.Since(start), time.Second)
		require.ErrorIs(t, context.Cause(held[0].Context()), redisstream.ErrSubscriberClosed)
		require.True(t, held[2].Ack(), "a handler that ends with its context is in time")
		select {
		case <-held[0].Nacked():
		case <-time.After(3 * time.Second):
			require.FailNow(t, "nobody nacked the message")
		}
		_, open := <-out
		require.False(t, open)
		if group == "" {
			return
		}
		require.Equal(t, int64(1), pendingCount(t, shared, topic, group), "the acks of the drain count")
		require.Equal(t, []string{"~released"}, consumers(t, shared, topic, group))
		next := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group}), topic)
		msg := receive(t, next, 2*time.Second)
		require.Equal(t, held[0].UUID, msg.UUID)
		deliveries, _ := redisstream.DeliveryCountFromContext(msg.Context())
		require.Equal(t, int64(2), deliveries)
		require.True(t, msg.Ack())
	})
}

func TestNackDuringTheDrainReleasesAtOnce(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	first := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MaxInFlight: 2})
	publish(t, publisher, topic, 2)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, err := first.Subscribe(ctx, topic)
	require.NoError(t, err)
	nacked, held := receive(t, out, healTime), receive(t, out, healTime)
	other := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	cancel()
	requireNone(t, other, 300*time.Millisecond)
	require.True(t, nacked.Nack())
	msg := receive(t, other, 2*time.Second)
	require.Equal(t, nacked.UUID, msg.UUID)
	require.True(t, msg.Ack())
	requireNone(t, out, 100*time.Millisecond)
	require.NoError(t, held.Context().Err(), "the first still drains")
	require.True(t, held.Ack())
	_, open := <-out
	require.False(t, open)
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "both acks count")
}

func TestSubscribeIsRefusedWhenNoBlockingConnectionIsLeft(t *testing.T) {
	t.Parallel()
	modes(t, func(t *testing.T, group string) {
		topic := newTopic(t)
		client := shared.Client(t, func(o *rueidis.ClientOption) { o.BlockingPoolSize = 10 })
		config := redisstream.SubscriberConfig{ConsumerGroup: group, Client: client, BlockingPoolSize: 10}
		s, other := newSubscriber(t, shared, config), newSubscriber(t, shared, config)
		ctx, cancel := context.WithCancel(t.Context())
		first, err := s.Subscribe(ctx, topic)
		require.NoError(t, err)
		subscribe(t, other, topic)
		for range 3 {
			err := within(t, time.Second, subscribeError(s, context.Background(), topic))
			var bad *redisstream.ConfigError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, "SubscriberConfig.BlockingPoolSize", bad.Field)
			require.Contains(t, err.Error(), "BlockingPoolSize")
		}
		cancel()
		for range first {
		}
		out := subscribe(t, s, topic)
		if group == "" {
			publisher := newPublisher(t, shared.Client(t))
			receiveAndAckAll(t, out, publish(t, publisher, topic, 1))
		}
		require.Error(t, subscribeError(other, t.Context(), topic)())
	})
}

func TestFailedSubscribeGivesItsConnectionBack(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	shared.Do(t, "SET", topic, "x")
	client := shared.Client(t, func(o *rueidis.ClientOption) { o.BlockingPoolSize = 10 })
	s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", Client: client, BlockingPoolSize: 10})
	for i := range 5 {
		require.ErrorContains(t, subscribeError(s, t.Context(), topic)(), "WRONGTYPE", strconv.Itoa(i))
	}
	shared.Do(t, "DEL", topic)
	subscribe(t, s, topic)
	subscribe(t, s, topic)
}

// Who may learn a connection's ID but not unblock it must not leave a blocked
// read behind: it would take the next message with it.
func TestReadThatCannotBeUnblockedTakesNothingAlong(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do(t, "ACL", "SETUSER", "default", "-client|unblock")
	config := redisstream.SubscriberConfig{ConsumerGroup: "g"}
	first := newSubscriber(t, server, config)
	subscribe(t, first, "orders")
	eventually(t, 5*time.Second, func() bool {
		list, ok := server.Do(t, "CLIENT", "LIST").(string)
		return ok && strings.Contains(list, "cmd=xreadgroup")
	}, "the read is blocked")
	require.NoError(t, first.Close())
	uuid := publish(t, newPublisher(t, server.Client(t)), "orders", 1)[0]
	msg := receive(t, subscribe(t, newSubscriber(t, server, config), "orders"), 3*time.Second)
	require.Equal(t, uuid, msg.UUID)
	msg.Ack()
}

// The connection of the blocked read is dead, and the others are well: what is
// left goes to others nevertheless.
func TestDeadReadConnectionDoesNotKeepEntriesAtTheEnd(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	proxy := redistest.NewProxy(t, shared.Addr())
	config := redisstream.SubscriberConfig{
		Client: shared.Client(t, through(proxy)), ConsumerGroup: "g", MaxInFlight: 2, CloseTimeout: 300 * time.Millisecond,
	}
	s := newSubscriber(t, shared, config)
	out := subscribe(t, s, topic)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	receive(t, out, 5*time.Second) // and never settled
	eventually(t, 5*time.Second, func() bool { return proxy.Silence("XREADGROUP") == 1 }, "it reads on")
	start := time.Now()
	require.NoError(t, s.Close())
	require.Less(t, time.Since(start), config.CloseTimeout+3*time.Second)
	require.Equal(t, "~released", pendingEntries(t, shared, topic, "g")[0].consumer)
}

package redisstream_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestHandlerMayTakeLongerThanMinIdle(t *testing.T) {
	t.Parallel()
	for _, maxInFlight := range []int{1, 4} {
		t.Run("MaxInFlight"+strconv.Itoa(maxInFlight), func(t *testing.T) {
			t.Parallel()
			topic, got := newTopic(t), newTally()
			var lost atomic.Int32
			for i := range 3 {
				out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{
					ConsumerGroup: "g", MinIdle: shortIdle, MaxInFlight: maxInFlight,
				}), topic)
				got.work(out, strconv.Itoa(i), func(msg *message.Message) {
					select {
					case <-msg.Context().Done():
						lost.Add(1)
					case <-time.After(5 * shortIdle):
					}
				})
			}
			total := 3*maxInFlight + 2 // the last two have to wait for a handler
			publish(t, newPublisher(t, shared.Client(t)), topic, total)
			for end := time.Now().Add(10*shortIdle + 5*time.Second); time.Now().Before(end); <-time.After(50 * time.Millisecond) {
				for _, p := range pendingEntries(t, shared, topic, "g") {
					require.Less(t, p.idle, shortIdle*3/4, "it is not renewed")
					require.LessOrEqual(t, p.count, int64(1))
				}
				if got.distinct() == total && pendingCount(t, shared, topic, "g") == 0 {
					break
				}
			}
			require.Zero(t, pendingCount(t, shared, topic, "g"))
			require.Zero(t, lost.Load())
			got.requireOnce(t, 0, total)
		})
	}
}

func TestPausedConsumerHandsOutNothingThatOthersTook(t *testing.T) {
	t.Parallel()
	const total, more = 3500, 200
	topic, publisher := newTopic(t), newPublisher(t, shared.Client(t))
	publish(t, publisher, topic, total)
	cmd, lines := helper{
		addr: shared.Addr(), topic: topic, group: "g", minIdle: shortIdle, acks: 2000, hold: time.Second, buffer: 50,
	}.start(t)
	printed := map[string]bool{}
	for _, payload := range untilHung(t, lines) {
		printed[payload] = true
	}
	acked := len(printed) - 1
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	buffered := pendingEntries(t, shared, topic, "g")
	require.Greater(t, len(buffered), 50)
	stopped := time.Now()

	heirs := newTally()
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: shortIdle}), topic)
	heirs.work(out, "heir", lasting(0))
	eventually(t, shortIdle+5*time.Second, func() bool {
		return heirs.distinct() >= total-acked && pendingCount(t, shared, topic, "g") == 0
	}, "the others take all of it")
	<-time.After(time.Until(stopped.Add(shortIdle + 5*time.Second)))
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))

	// It works on, with what is new.
	for i := range more {
		msg := message.NewMessage(strconv.Itoa(i), []byte("new-"+strconv.Itoa(i)))
		require.NoError(t, publisher.Publish(topic, msg))
		<-time.After(5 * time.Millisecond)
	}
	var after []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && heirs.distinct()+len(after) < total-acked+more; {
		select {
		case line := <-lines:
			payload, _, _ := strings.Cut(line, " ")
			after = append(after, payload)
		case <-time.After(20 * time.Millisecond):
		}
	}
	require.NotEmpty(t, after, "the paused process is alive")
	require.NoError(t, cmd.Process.Kill())
	for line := range lines {
		payload, _, _ := strings.Cut(line, " ")
		after = append(after, payload)
	}
	heirs.mu.Lock()
	defer heirs.mu.Unlock()
	for _, payload := range after {
		require.Zero(t, heirs.handOuts[payload], "%s was handled by another one meanwhile", payload)
		require.False(t, printed[payload], "%s came twice", payload)
	}
	for payload, n := range heirs.handOuts {
		require.Equal(t, 1, n, "hand-outs of %s", payload)
	}
}

func TestFrozenServerMakesNoDuplicatesForBusyConsumers(t *testing.T) {
	t.Parallel()
	const total = 900
	server := redistest.Start(t)
	topic, got := newTopic(t), newTally()
	publish(t, newPublisher(t, server.Client(t)), topic, total)
	for i := range 3 {
		out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{
			ConsumerGroup: "g", MinIdle: shortIdle, MaxInFlight: 4,
		}), topic)
		got.work(out, strconv.Itoa(i), func(msg *message.Message) {
			if n, _ := strconv.Atoi(string(msg.Payload)); n%50 == 7 {
				<-time.After(shortIdle + 6*time.Second) // all the time that the server is frozen, and longer
				return
			}
			<-time.After(10 * time.Millisecond)
		})
	}
	eventually(t, 20*time.Second, func() bool { return got.distinct() >= 150 }, "they are busy")
	server.Pause(t)
	<-time.After(shortIdle + 5*time.Second)
	server.Resume(t)
	eventually(t, 90*time.Second, func() bool {
		return got.distinct() == total && pendingCount(t, server, topic, "g") == 0
	}, "everything is handed out and acked")
	got.requireOnce(t, 0, total)
}

func TestConsumerNameIsUsedByOneSubscriptionAtATime(t *testing.T) {
	t.Parallel()
	const total = 100
	topic, got := newTopic(t), newTally()
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", Consumer: "fixed", MinIdle: shortIdle}
	first, firstLog := newLoggedSubscriber(t, shared, config)
	got.work(subscribe(t, first, topic), "first", lasting(10*time.Millisecond))
	second, secondLog := newLoggedSubscriber(t, shared, config)
	got.work(subscribe(t, second, topic), "second", lasting(10*time.Millisecond))
	require.Empty(t, firstLog.shared.errors)
	require.True(t, secondLog.contains("ERROR The configured consumer name is in use"))

	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	eventually(t, 10*time.Second, func() bool {
		return got.distinct() == total && pendingCount(t, shared, topic, "g") == 0
	}, "everything is handed out and acked")
	got.requireOnce(t, 0, total)
	require.NotZero(t, got.of("first"))
	require.NotZero(t, got.of("second"))
	names := consumers(t, shared, topic, "g")
	require.Contains(t, names, "fixed")
	require.True(t, strings.HasPrefix(strings.Join(names, " "), "fixed fixed~"), names)
	<-time.After(shortIdle + shortIdle/4) // the right to the name outlives its first term
	late, lateLog := newLoggedSubscriber(t, shared, config)
	subscribe(t, late, topic)
	require.True(t, lateLog.contains("ERROR The configured consumer name is in use"))
	require.NoError(t, late.Close())
	require.Empty(t, firstLog.shared.errors)

	require.NoError(t, first.Close())
	third, thirdLog := newLoggedSubscriber(t, shared, config)
	subscribe(t, third, topic)
	require.Empty(t, thirdLog.shared.errors, "the name is free again")
}

func TestConsumerNameKeepsItsBacklogAfterAKill(t *testing.T) {
	t.Parallel()
	const total = 1500
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	cmd, lines := helper{
		addr: shared.Addr(), topic: topic, group: "g", minIdle: shortIdle, acks: 300, consumer: "fixed", buffer: 10,
	}.start(t)
	acked := len(untilHung(t, lines)) - 1
	ids := entryIDs(t, shared, topic)
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	backlog := len(pendingEntries(t, shared, topic, "g", "fixed"))
	lease := "{" + topic + "}:consumer:g:fixed"
	require.Equal(t, int64(1), shared.Do(t, "EXISTS", lease))
	eventually(t, 2*shortIdle, func() bool { return shared.Do(t, "EXISTS", lease) == int64(0) }, "the right to the name expires")

	s, log := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", Consumer: "fixed", MinIdle: shortIdle})
	out := subscribe(t, s, topic)
	require.Empty(t, log.shared.errors)
	first := receive(t, out, 5*time.Second)
	index := map[string]int{}
	for i, id := range ids {
		index[id] = i
	}
	for range 10 {
		for _, p := range pendingEntries(t, shared, topic, "g", "fixed") {
			if index[p.id] != acked { // it was in flight, and now is again
				require.Equal(t, int64(1), p.count, "delivery count of %d", index[p.id])
			}
		}
		<-time.After(20 * time.Millisecond)
	}
	count, _ := redisstream.DeliveryCountFromContext(first.Context())
	require.Equal(t, int64(2), count)
	require.True(t, first.Ack())
	require.Equal(t, strconv.Itoa(acked), string(first.Payload))
	for i := acked + 1; i < total; i++ {
		msg := receive(t, out, 5*time.Second)
		require.Equal(t, strconv.Itoa(i), string(msg.Payload))
		count, _ := redisstream.DeliveryCountFromContext(msg.Context())
		require.LessOrEqual(t, count, int64(2))
		if i >= acked+backlog {
			require.Equal(t, int64(1), count)
		}
		require.True(t, msg.Ack())
	}
}

func TestPausedConsumerHandsOutNothingThatTheNextWithItsNameTook(t *testing.T) {
	t.Parallel()
	const total, taken = 2500, 8
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	cmd, lines := helper{
		addr: shared.Addr(), topic: topic, group: "g", minIdle: shortIdle, acks: 1000, hold: time.Second, consumer: "fixed", buffer: taken,
	}.start(t)
	acked := len(untilHung(t, lines)) - 1
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	lease := "{" + topic + "}:consumer:g:fixed"
	eventually(t, 2*shortIdle, func() bool { return shared.Do(t, "EXISTS", lease) == int64(0) }, "the right to the name expires")

	s, log := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{
		ConsumerGroup: "g", Consumer: "fixed", MinIdle: shortIdle, MaxInFlight: taken,
	})
	out := subscribe(t, s, topic)
	require.Empty(t, log.shared.errors)
	held := map[string]*message.Message{}
	for range taken {
		msg := receive(t, out, 5*time.Second)
		held[string(msg.Payload)] = msg
	}
	require.Contains(t, held, strconv.Itoa(acked+1))
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	requireNone(t, out, 3*time.Second) // the other one is at work
	require.NoError(t, cmd.Process.Kill())
	for line := range lines {
		payload, _, _ := strings.Cut(line, " ")
		require.NotContains(t, held, payload)
	}
	for payload, msg := range held {
		if n, _ := strconv.Atoi(payload); n > acked { // the others it had done, and their acks are in order
			require.NoError(t, msg.Context().Err())
		}
		require.True(t, msg.Ack())
	}
}

func TestAckDuringTheEndReachesRedis(t *testing.T) {
	t.Parallel()
	const total, lanes = 1000, 4
	ends := map[string]func(s *redisstream.Subscriber, cancel func()){
		"Close":  func(s *redisstream.Subscriber, _ func()) { _ = s.Close() },
		"cancel": func(_ *redisstream.Subscriber, cancel func()) { cancel() },
	}
	for name, end := range ends {
		for lane := range lanes {
			t.Run(name+strconv.Itoa(lane), func(t *testing.T) {
				t.Parallel()
				topic, client := newTopic(t), shared.Client(t)
				publish(t, newPublisher(t, client), topic, total/lanes)
				ids := entryIDs(t, shared, topic)
				for i := range total / lanes {
					s, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: client, ConsumerGroup: "g"}, nil)
					require.NoError(t, err)
					ctx, cancel := context.WithCancel(context.Background())
					out, err := s.Subscribe(ctx, topic)
					require.NoError(t, err)
					msg := receive(t, out, 5*time.Second)
					require.Equal(t, strconv.Itoa(i), string(msg.Payload))
					var ended sync.WaitGroup
					if i%2 == 0 {
						ended.Go(func() { end(s, cancel) })
						require.True(t, msg.Ack())
					} else {
						require.True(t, msg.Ack())
						end(s, cancel)
					}
					for msg := range out { // one more may be on its way
						require.True(t, msg.Nack())
					}
					ended.Wait()
					pending := shared.Do(t, "XPENDING", topic, "g", ids[i], ids[i], "1")
					require.Empty(t, pending, "the ack of %d is lost", i)
					require.NoError(t, s.Close())
					cancel()
				}
			})
		}
	}
}

// The handler is done, and Redis refuses the ack. Nobody else may get the message.
func TestUnconfirmedAcksAreRenewed(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: shortIdle}
	first := subscribe(t, newSubscriber(t, server, config), "orders")
	publish(t, newPublisher(t, server.Client(t)), "orders", 1)
	msg := receive(t, first, 5*time.Second)
	second := subscribe(t, newSubscriber(t, server, config), "orders")
	server.Do(t, "ACL", "SETUSER", "default", "-xack")
	require.True(t, msg.Ack())
	requireNone(t, either(t, first, second), 3*shortIdle)
	server.Do(t, "ACL", "SETUSER", "default", "+xack")
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, server, "orders", "g") == 0 }, "it is acked")
}

// busyMember is a member that has n messages in hand, and four that have none; one of
// those would look before the first has renewed.
func busyMember(t *testing.T, server *redistest.Server, n int) (msgs []*message.Message, all <-chan *message.Message) {
	t.Helper()
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: time.Second, MaxInFlight: n}
	members := []<-chan *message.Message{subscribe(t, newSubscriber(t, server, config), "orders")}
	publish(t, newPublisher(t, server.Client(t)), "orders", n)
	for range n {
		msgs = append(msgs, receive(t, members[0], 5*time.Second))
	}
	for range 4 {
		members = append(members, subscribe(t, newSubscriber(t, server, config), "orders"))
	}
	return msgs, either(t, members...)
}

// While writes are paused, as for a failover, nobody can renew, and reads work.
func TestNobodyIsRobbedAfterWritesWerePaused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	msgs, all := busyMember(t, server, 20)
	requireNone(t, all, 2*time.Second) // long enough to be well
	for range 3 {
		server.Do(t, "CLIENT", "PAUSE", "1900", "WRITE")
		requireNone(t, all, 3*time.Second) // less than all have to be well for, so the next pause begins before
	}
	for _, msg := range msgs {
		require.True(t, msg.Ack())
	}
}

// Without the right to renew, everything looks abandoned, as after an outage.
func TestNobodyIsRobbedAfterRightsWereMissing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	msgs, all := busyMember(t, server, 20)
	for _, right := range []string{"xpending", "xclaim", "evalsha"} {
		server.Do(t, "ACL", "SETUSER", "default", "-"+right)
		requireNone(t, all, 2*time.Second)
		server.Do(t, "ACL", "SETUSER", "default", "+"+right)
		requireNone(t, all, 2*time.Second)
	}
	for _, msg := range msgs {
		require.True(t, msg.Ack())
	}
}

package redisstream_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestRestartsCountOnlyHandOuts(t *testing.T) {
	t.Parallel()
	const total, restarts = 3000, 3
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	next := 0
	for range restarts {
		s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"})
		out := subscribe(t, s, topic)
		var held *message.Message
		for acks := 300; held == nil; acks = fillMore {
			for range acks {
				msg := receive(t, out, 5*time.Second)
				require.Equal(t, strconv.Itoa(next), string(msg.Payload))
				count, _ := redisstream.DeliveryCountFromContext(msg.Context())
				require.Equal(t, int64(1), count, "delivery count of %d", next)
				require.True(t, msg.Ack())
				next++
			}
			held = receive(t, out, 5*time.Second)
			next++
			id, _ := redisstream.EntryIDFromContext(held.Context())
			if !becomes(func() bool { return bufferIsFull(t, shared, topic, "g", id, 10) }) {
				require.True(t, held.Ack())
				held = nil
			}
		}
		require.True(t, held.Ack())
		require.NoError(t, s.Close())
		released := pendingEntries(t, shared, topic, "g")
		require.Greater(t, len(released), 10)
		for _, p := range released {
			require.Equal(t, "~released", p.consumer)
			require.Zero(t, p.count)
		}
	}
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	for ; next < total; next++ {
		msg := receive(t, out, 5*time.Second)
		require.Equal(t, strconv.Itoa(next), string(msg.Payload))
		count, _ := redisstream.DeliveryCountFromContext(msg.Context())
		require.Equal(t, int64(1), count, "delivery count of %d", next)
		require.True(t, msg.Ack())
	}
}

func TestKillsCountOnlyHandOutsAndOneRead(t *testing.T) {
	t.Parallel()
	const total = 450
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	payload := map[string]string{}
	for i, id := range entryIDs(t, shared, topic) {
		payload[id] = strconv.Itoa(i)
	}
	printed := map[string]int64{}
	// Each finds little that is new, and works on what the one before it left.
	for _, acks := range []int{300, 100, 20} {
		cmd, lines := helper{addr: shared.Addr(), topic: topic, group: "g", minIdle: shortIdle, acks: acks}.start(t)
		for _, p := range untilHung(t, lines) {
			printed[p]++
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
		left := pendingEntries(t, shared, topic, "g")
		t.Logf("%d acked, %d pending", acks, len(left))
		require.NotEmpty(t, left)
		for _, p := range left {
			require.LessOrEqual(t, p.count, 1+printed[payload[p.id]], "delivery count of %s, which was handed out %d times", payload[p.id], printed[payload[p.id]])
			require.True(t, printed[payload[p.id]] > 0 || p.count <= 1)
		}
		eventually(t, shortIdle+5*time.Second, func() bool {
			for _, p := range pendingEntries(t, shared, topic, "g") {
				if p.idle < shortIdle {
					return false
				}
			}
			return true
		}, "the dead one's entries expire")
	}
	heirs := newTally()
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: shortIdle}), topic)
	heirs.work(out, "heir", lasting(0))
	eventually(t, shortIdle+5*time.Second, func() bool {
		all := heirs.distinct()
		for p := range printed {
			if heirs.countOf(p) == 0 {
				all++
			}
		}
		return all == total && pendingCount(t, shared, topic, "g") == 0
	}, "the last one takes all the rest")
	for p, count := range heirs.first {
		require.Equal(t, 1, heirs.handOuts[p], "hand-outs of %s", p)
		require.LessOrEqual(t, count, 2+printed[p], "delivery count of %s", p)
	}
}

func TestNackedMessageComesAgainBeforeTheNext(t *testing.T) {
	t.Parallel()
	type key struct{}
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 3)
	s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"})
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
	defer cancel()
	out, err := s.Subscribe(ctx, topic)
	require.NoError(t, err)
	var uuid string
	for i := range 3 {
		for n := int64(1); n <= 3; n++ {
			msg := receive(t, out, 5*time.Second)
			require.Equal(t, strconv.Itoa(i), string(msg.Payload))
			count, ok := redisstream.DeliveryCountFromContext(msg.Context())
			require.True(t, ok)
			require.Equal(t, n, count)
			require.Equal(t, "value", msg.Context().Value(key{}))
			require.NoError(t, msg.Context().Err())
			if n > 1 {
				require.Equal(t, uuid, msg.UUID)
			}
			uuid = msg.UUID
			id, _ := redisstream.EntryIDFromContext(msg.Context())
			for _, p := range pendingEntries(t, shared, topic, "g") {
				require.True(t, p.id != id || p.count == n, "the server's count of %d is %d", i, p.count)
			}
			if n == 3 {
				require.True(t, msg.Ack())
				break
			}
			require.True(t, msg.Nack())
			select {
			case <-msg.Context().Done():
			case <-time.After(5 * time.Second):
				require.FailNow(t, "the context of a nacked message goes on")
			}
		}
	}
}

func TestCloseInterruptsTheBackoffOfANack(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 2)
	for _, maxInFlight := range []int{1, 4} {
		asked := make(chan int, 10)
		s := newSubscriber(t, shared, redisstream.SubscriberConfig{
			ConsumerGroup: "g" + strconv.Itoa(maxInFlight), MaxInFlight: maxInFlight,
			NackBackoff: func(attempt int) time.Duration { asked <- attempt; return time.Minute },
		})
		out := subscribe(t, s, topic)
		msg := receive(t, out, 5*time.Second)
		require.True(t, msg.Nack())
		require.Equal(t, 1, <-asked)
		if maxInFlight == 1 {
			requireNone(t, out, 100*time.Millisecond)
		} else {
			require.Equal(t, []string{"1"}, receivePayloads(t, out, 1, 5*time.Second))
		}
		start := time.Now()
		require.NoError(t, s.Close())
		require.Less(t, time.Since(start), 5*time.Second)

		out = subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g" + strconv.Itoa(maxInFlight)}), topic)
		again := receive(t, out, 2*time.Second)
		require.Equal(t, "0", string(again.Payload))
		count, _ := redisstream.DeliveryCountFromContext(again.Context())
		require.Equal(t, int64(2), count)
		require.True(t, again.Ack())
	}
}

func TestNackedMessageThatAnotherConsumerTookDoesNotComeAgain(t *testing.T) {
	t.Parallel()
	for _, maxInFlight := range []int{1, 4} {
		t.Run("MaxInFlight"+strconv.Itoa(maxInFlight), func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, 1)
			var asked atomic.Int32
			out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{
				ConsumerGroup: "g", MaxInFlight: maxInFlight,
				NackBackoff: func(int) time.Duration { asked.Add(1); return 500 * time.Millisecond },
			}), topic)
			msg := receive(t, out, 5*time.Second)
			id, _ := redisstream.EntryIDFromContext(msg.Context())
			require.True(t, msg.Nack())
			eventually(t, 5*time.Second, func() bool { return asked.Load() == 1 }, "it backs off")
			require.Len(t, shared.Do(t, "XCLAIM", topic, "g", "thief", "0", id), 1)
			requireNone(t, out, time.Second)
			publish(t, newPublisher(t, shared.Client(t)), topic, 1)
			next := receive(t, out, 5*time.Second)
			nextID, _ := redisstream.EntryIDFromContext(next.Context())
			require.NotEqual(t, id, nextID)
			require.True(t, next.Ack())
			eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "the ack arrives")
			left := pendingEntries(t, shared, topic, "g")
			require.Equal(t, "thief", left[0].consumer)
			require.Equal(t, int64(2), left[0].count) // as XCLAIM counts
		})
	}
}

func TestAtMostOnceLeavesNothingPendingAndNothingInHand(t *testing.T) {
	t.Parallel()
	for _, maxInFlight := range []int{1, 8} {
		t.Run("MaxInFlight"+strconv.Itoa(maxInFlight), func(t *testing.T) {
			t.Parallel()
			const total = 100
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, total)
			s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", AtMostOnce: true, MaxInFlight: maxInFlight})
			out := subscribe(t, s, topic)
			var got []string
			for i := range 50 {
				msg := receive(t, out, 5*time.Second)
				require.Zero(t, pendingCount(t, shared, topic, "g"))
				got = append(got, string(msg.Payload))
				if i%2 == 0 {
					require.True(t, msg.Nack())
				} else {
					require.True(t, msg.Ack())
				}
			}
			closed := make(chan error, 1)
			go func() { closed <- s.Close() }()
			for msg := range out { // what has been read already is handed out
				got = append(got, string(msg.Payload))
				require.True(t, msg.Ack())
			}
			require.NoError(t, <-closed)
			require.Zero(t, pendingCount(t, shared, topic, "g"))

			heir := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", AtMostOnce: true}), topic)
			got = append(got, receivePayloads(t, heir, total-len(got), 5*time.Second)...)
			require.Equal(t, payloads(0, total), got)
			requireNone(t, heir, 100*time.Millisecond)
		})
	}
}

// A command without a reply may have been executed, so it must not count again.
func TestFrozenServerCountsNothingTwice(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 9 * time.Second}), "orders")
	publish(t, newPublisher(t, server.Client(t)), "orders", 1)
	msg := receive(t, out, 5*time.Second)
	server.Pause(t)
	require.True(t, msg.Nack())
	requireNone(t, out, 5*time.Second) // several attempts
	server.Resume(t)
	msg = receive(t, out, 8*time.Second)
	count, _ := redisstream.DeliveryCountFromContext(msg.Context())
	require.Equal(t, int64(2), count)
	require.Equal(t, int64(2), pendingEntries(t, server, "orders", "g")[0].count)
	require.True(t, msg.Ack())
}

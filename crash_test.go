package redisstream_test

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// Crashes of consumers, and what they do to delivery counts and delays.

func TestReturnedMessageWaitsOnWhenItsProcessIsKilled(t *testing.T) {
	t.Parallel()
	const wait = 4 * time.Second
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	kill, lines := worker{Addr: shared.Addr(), Topic: topic, MinIdle: shortIdle, MaxInFlight: 1, Backoff: wait, Nacks: "0"}.start(t)
	require.Equal(t, "0 1", line(t, lines, 10*time.Second))
	handed := time.Now() // it is nacked a little later
	eventually(t, 5*time.Second, func() bool { return len(delayed(t, topic)) == 1 }, "it is there for later")
	kill()
	out := subscribe(t, newSubscriber(t, shared, returning(wait)), topic)
	msg := receive(t, out, time.Until(handed.Add(wait+dueTime)))
	require.GreaterOrEqual(t, time.Since(handed), wait-100*time.Millisecond, "it is not due")
	requireCount(t, msg, 2)
	require.True(t, msg.Ack())
}

// One message kills whoever handles it. It takes no other one with it, though
// those are in hand and in the buffer when it does.
func TestMessageThatKillsItsProcessesEndsAloneAsADeadLetter(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 2, 3} {
		t.Run("MaxDeliveries"+strconv.Itoa(most), func(t *testing.T) {
			t.Parallel()
			kills := max(most, 2) // the first may have been a read that nobody saw
			const total, poison = 60, "21"
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, total)
			ids := entryIDs(t, shared, topic)
			w := worker{
				Addr: shared.Addr(), Topic: topic, MinIdle: shortIdle, MaxInFlight: 8, MaxDeliveries: most,
				Takes: 150 * time.Millisecond, DiesOf: poison,
			}
			deaths, seen := 0, map[string]bool{}
			for deaths < kills {
				_, lines := w.start(t)
				for l := range lines { // until it dies
					payload, _, _ := strings.Cut(l, " ")
					seen[payload] = true
				}
				deaths++
				require.Empty(t, lettersOf(t, topic))
			}
			kill, lines := w.start(t)
			letter := awaitOnlyLetter(t, topic, ids[21], 3*shortIdle+5*time.Second)
			require.Equal(t, strconv.Itoa(kills), letter[redisstream.DeadDeliveriesField])
			require.Contains(t, letter[redisstream.DeadReasonField], "nobody settled it")
			eventually(t, 30*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all others are acked")
			kill()
			for l := range lines {
				payload, _, _ := strings.Cut(l, " ")
				require.NotEqual(t, poison, payload)
				seen[payload] = true
			}
			for _, payload := range payloads(0, total) {
				require.True(t, seen[payload], payload)
			}
			require.Len(t, lettersOf(t, topic), 1)
		})
	}
}

// A message of which several processes die in turn, with a member that lives.
func TestMessageThatKillsSomeProcessesGoesToOneThatLives(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	w := worker{Addr: shared.Addr(), Topic: topic, MinIdle: shortIdle, MaxInFlight: 1, MaxDeliveries: 3, DiesOf: "0"}
	for n := 1; n <= 2; n++ {
		_, lines := w.start(t)
		require.Equal(t, "0 "+strconv.Itoa(n), line(t, lines, shortIdle+10*time.Second))
	}
	out := subscribe(t, newSubscriber(t, shared, atMost(3)), topic)
	msg := receive(t, out, shortIdle+10*time.Second)
	requireCount(t, msg, 3)
	require.True(t, msg.Ack())
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it is acked")
	require.Empty(t, lettersOf(t, topic))
}

// What only waited in a buffer has not failed, however often its consumers end.
func TestRestartsWithAFullBufferMakeNoDeadLetter(t *testing.T) {
	t.Parallel()
	const total = 3000
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	next := 0
	for range 3 {
		s := newSubscriber(t, shared, atMost(2))
		held, payload := fillFrom(t, topic, subscribe(t, s, topic), next)
		require.True(t, held.Ack())
		require.NoError(t, s.Close())
		next = payload + 1
	}
	out := subscribe(t, newSubscriber(t, shared, atMost(2)), topic)
	for ; next < total; next++ {
		msg := receive(t, out, 5*time.Second)
		require.Equal(t, strconv.Itoa(next), string(msg.Payload))
		requireCount(t, msg, 1)
		require.True(t, msg.Ack())
	}
	require.Empty(t, lettersOf(t, topic))
}

func TestKillsWithAFullBufferMakeNoDeadLetter(t *testing.T) {
	t.Parallel()
	const total = 450
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	seen := map[string]bool{}
	// Each finds little that is new, and works on what the one before it left.
	for _, acks := range []int{300, 100, 20} {
		cmd, lines := helper{addr: shared.Addr(), topic: topic, group: "g", minIdle: shortIdle, acks: acks, maxDeliveries: 3}.start(t)
		for _, payload := range untilHung(t, lines) {
			seen[payload] = true
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
		left := pendingEntries(t, shared, topic, "g")
		require.NotEmpty(t, left)
		eventually(t, shortIdle+5*time.Second, func() bool {
			for _, p := range pendingEntries(t, shared, topic, "g") {
				if p.idle < shortIdle {
					return false
				}
			}
			return true
		}, "the dead one's entries expire")
	}
	heir := newTally()
	heir.work(subscribe(t, newSubscriber(t, shared, atMost(3)), topic), "heir", lasting(0))
	eventually(t, shortIdle+10*time.Second, func() bool {
		for _, payload := range payloads(0, total) {
			if !seen[payload] && heir.countOf(payload) == 0 {
				return false
			}
		}
		return pendingCount(t, shared, topic, "g") == 0
	}, "everything was handed out")
	require.Empty(t, lettersOf(t, topic))
}

// fillFrom is fillBuffer from a payload on.
func fillFrom(tb testing.TB, topic string, out <-chan *message.Message, next int) (held *message.Message, payload int) {
	tb.Helper()
	for acks := 300; ; acks = fillMore {
		require.Equal(tb, payloads(next, next+acks), receivePayloads(tb, out, acks, 5*time.Second))
		next += acks
		held = receive(tb, out, 5*time.Second)
		id, _ := redisstream.EntryIDFromContext(held.Context())
		if becomes(func() bool { return bufferIsFull(tb, shared, topic, "g", id, 10) }) {
			return held, next
		}
		require.True(tb, held.Ack())
		next++
	}
}

package redisstream_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// atMost is the configuration of a member that gives up after so many deliveries.
func atMost(deliveries int) redisstream.SubscriberConfig {
	return redisstream.SubscriberConfig{
		ConsumerGroup: "g", MinIdle: shortIdle, MaxDeliveries: deliveries,
		NackBackoff: func(int) time.Duration { return 0 },
	}
}

// lettersOf lists the dead letters of the group "g", as what the library says of
// them by the name of its fields.
func lettersOf(tb testing.TB, topic string) (letters []map[string]string) {
	tb.Helper()
	for _, fields := range entriesOf(tb, "{"+topic+"}:dead:g") {
		letters = append(letters, asMap(fields))
	}
	return letters
}

// awaitOnlyLetter waits for the only dead letter there is, and for the group to be
// rid of its entry.
func awaitOnlyLetter(tb testing.TB, topic, id string, within time.Duration) map[string]string {
	tb.Helper()
	eventually(tb, within, func() bool { return len(lettersOf(tb, topic)) > 0 }, "the letter arrives")
	letters := lettersOf(tb, topic)
	require.Len(tb, letters, 1)
	require.Equal(tb, id, letters[0][redisstream.DeadEntryIDField])
	for _, p := range pendingEntries(tb, shared, topic, "g") {
		require.NotEqual(tb, id, p.id, "it is settled in the group")
	}
	return letters[0]
}

func TestMessageThatFailsTooOftenEndsAsADeadLetter(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]redisstream.NackPolicy{"in place": redisstream.RedeliverInPlace, "to group": redisstream.ReturnToGroup} {
		for _, most := range []int{1, 2, 4} {
			t.Run(name+strconv.Itoa(most), func(t *testing.T) {
				t.Parallel()
				topic := newTopic(t)
				config := atMost(most)
				config.NackPolicy = policy
				publisher := newPublisher(t, shared.Client(t))
				publish(t, publisher, topic, 1)
				before := time.Now()
				out := subscribe(t, newSubscriber(t, shared, config), topic)
				var id string
				for n := int64(1); n <= int64(most); n++ {
					require.Empty(t, lettersOf(t, topic))
					msg := receive(t, out, 5*time.Second)
					requireCount(t, msg, n)
					id, _ = redisstream.EntryIDFromContext(msg.Context())
					require.True(t, msg.Nack())
				}
				letter := awaitOnlyLetter(t, topic, id, healTime)
				own := entriesOf(t, topic)[0]
				require.Equal(t, own, entriesOf(t, "{"+topic+"}:dead:g")[0][:len(own)], "the entry's own fields come first, as they were")
				require.Equal(t, topic, letter[redisstream.DeadTopicField])
				require.Equal(t, "g", letter[redisstream.DeadGroupField])
				require.Equal(t, strconv.Itoa(most), letter[redisstream.DeadDeliveriesField])
				require.Equal(t, "redisstream.Subscriber", letter[redisstream.DeadSubscriberField])
				require.Empty(t, letter[redisstream.DeadHandlerField])
				require.NotEmpty(t, letter[redisstream.DeadConsumerField])
				require.Contains(t, letter[redisstream.DeadReasonField], "in each of "+strconv.Itoa(most))
				first, err := time.Parse(time.RFC3339, letter[redisstream.DeadFirstTimeField])
				require.NoError(t, err)
				last, err := time.Parse(time.RFC3339, letter[redisstream.DeadLastTimeField])
				require.NoError(t, err)
				require.WithinRange(t, first, before.Add(-time.Minute), last)
				require.WithinRange(t, last, before.Add(-time.Second), time.Now().Add(time.Second))
				next := publish(t, publisher, topic, 1)
				require.Equal(t, next, receiveAndAck(t, out, 1, 5*time.Second))
				eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all is settled")
				requireNone(t, out, 100*time.Millisecond)
			})
		}
	}
}

// A nack whose consumer lost the message is none: it is up to the one who has it.
func TestLostLeaseCountsAsAFailure(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	out := subscribe(t, newSubscriber(t, shared, atMost(2)), topic)
	require.True(t, receive(t, out, 5*time.Second).Nack())
	msg := receive(t, out, 5*time.Second)
	requireCount(t, msg, 2)
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	shared.Do(t, "XCLAIM", topic, "g", "thief", "0", id, "JUSTID") // and is never heard of again
	heir := subscribe(t, newSubscriber(t, shared, atMost(2)), topic)
	require.ErrorIs(t, heldFor(msg, shortIdle), redisstream.ErrLeaseLost)
	letter := awaitOnlyLetter(t, topic, id, shortIdle+5*time.Second)
	require.Equal(t, "2", letter[redisstream.DeadDeliveriesField])
	require.Contains(t, letter[redisstream.DeadReasonField], "nobody settled it")
	require.True(t, msg.Nack(), "it is harmless")
	requireNone(t, either(t, out, heir), time.Second)
	require.Len(t, lettersOf(t, topic), 1)
}

func TestLastNackOfAMessageThatAnotherConsumerTookMakesNoLetter(t *testing.T) {
	t.Parallel()
	for _, say := range []string{"nack", "reject"} {
		t.Run(say, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			config := atMost(1)
			config.MinIdle = 30 * time.Second // so that nobody notices before
			publish(t, newPublisher(t, shared.Client(t)), topic, 2)
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			msg := receive(t, out, 5*time.Second)
			id, _ := redisstream.EntryIDFromContext(msg.Context())
			shared.Do(t, "XCLAIM", topic, "g", "thief", "0", id, "JUSTID")
			if say == "reject" {
				_ = redisstream.Reject(msg.Context(), errRefused)
			}
			require.True(t, msg.Nack())
			require.Equal(t, payloads(1, 2), receivePayloads(t, out, 1, 5*time.Second))
			eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "the other one is acked")
			requireNone(t, out, 500*time.Millisecond)
			require.Empty(t, lettersOf(t, topic))
			require.Equal(t, "thief", pendingEntries(t, shared, topic, "g")[0].consumer)
		})
	}
}

// Both count what they have as the last delivery; Redis lets one of them have it.
func TestMembersThatGiveUpAtTheSameTimeMakeOneLetter(t *testing.T) {
	t.Parallel()
	const total = 50
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	shared.Do(t, "XGROUP", "CREATE", topic, "g", "0")
	for range 3 { // each counts one more
		shared.Do(t, "XREADGROUP", "GROUP", "g", "dead", "COUNT", strconv.Itoa(total), "STREAMS", topic, ">")
		shared.Do(t, "XREADGROUP", "GROUP", "g", "dead", "COUNT", strconv.Itoa(total), "STREAMS", topic, "0")
	}
	var outs []<-chan *message.Message
	for range 3 {
		config := atMost(3)
		config.MaxInFlight = 8
		outs = append(outs, subscribe(t, newSubscriber(t, shared, config), topic))
	}
	eventually(t, shortIdle+5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all are given up")
	requireNone(t, either(t, outs...), 500*time.Millisecond)
	letters := map[string]int{}
	for _, letter := range lettersOf(t, topic) {
		letters[letter[redisstream.DeadEntryIDField]]++
		require.NotEqual(t, "1", letter[redisstream.DeadDeliveriesField])
	}
	require.Len(t, letters, total)
	requireOnce(t, letters)
}

// The count of a read that nobody saw is no failure.
func TestOnlyDeliveryIsNotUsedUpByAReadThatNobodySaw(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 3)
	die(t, shared, topic, "g", "dead", 3)
	out := subscribe(t, newSubscriber(t, shared, atMost(1)), topic)
	require.Equal(t, payloads(0, 3), receivePayloads(t, out, 3, shortIdle+5*time.Second))
	require.Empty(t, lettersOf(t, topic))
}

// The greatest count is how XNACK FATAL says that nothing more should be tried.
func TestMessageThatOthersGaveUpEndsAsADeadLetterWithoutALimit(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 2)
	die(t, shared, topic, "g", "dead", 2)
	ids := entryIDs(t, shared, topic)
	shared.Do(t, "XCLAIM", topic, "g", "dead", "0", ids[0], "RETRYCOUNT", "9223372036854775807", "JUSTID")
	shared.Do(t, "XCLAIM", topic, "g", "dead", "0", ids[1], "RETRYCOUNT", "1000000", "JUSTID")
	out := subscribe(t, newSubscriber(t, shared, atMost(0)), topic)
	msg := receive(t, out, shortIdle+5*time.Second)
	require.Equal(t, "1", string(msg.Payload), "a million failures are no reason")
	requireCount(t, msg, 1_000_001)
	require.True(t, msg.Ack())
	awaitOnlyLetter(t, topic, ids[0], healTime)
}

func TestFanOutLogsAndSkipsAMessageThatFailsTooOften(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	config := atMost(3)
	config.ConsumerGroup = ""
	s, l := newLoggedSubscriber(t, shared, config)
	out := subscribe(t, s, topic)
	publish(t, newPublisher(t, shared.Client(t)), topic, 2)
	var id string
	for n := int64(1); n <= 3; n++ {
		msg := receive(t, out, 5*time.Second)
		require.Equal(t, "0", string(msg.Payload))
		requireCount(t, msg, n)
		id, _ = redisstream.EntryIDFromContext(msg.Context())
		require.True(t, msg.Nack())
	}
	require.Equal(t, []string{"1"}, receivePayloads(t, out, 1, 5*time.Second))
	require.True(t, l.contains(id))
	require.True(t, l.contains("in each of 3"))
	require.Empty(t, shared.Do(t, "KEYS", "{"+topic+"}*"))
}

package redisstream_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// What is due comes within two seconds; a busy machine may take longer.
const dueTime = 2*time.Second + 500*time.Millisecond

var errRefused = errors.New("refused")

// returning is the configuration of a member whose nacked messages come again
// after a time, to anybody.
func returning(wait time.Duration) redisstream.SubscriberConfig {
	return redisstream.SubscriberConfig{
		ConsumerGroup: "g", MinIdle: shortIdle, NackPolicy: redisstream.ReturnToGroup,
		NackBackoff: func(int) time.Duration { return wait },
	}
}

// nackFor nacks a message that is to come again after a time, and waits until
// Redis knows.
func nackFor(tb testing.TB, topic string, msg *message.Message, wait time.Duration) {
	tb.Helper()
	_ = redisstream.RetryAfter(msg.Context(), wait, errRefused)
	nackUntilDelayed(tb, topic, msg)
}

// nackUntilDelayed nacks a message and waits until Redis has it for later.
func nackUntilDelayed(tb testing.TB, topic string, msg *message.Message) {
	tb.Helper()
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	require.True(tb, msg.Nack())
	eventually(tb, 5*time.Second, func() bool { return slices.Contains(delayed(tb, topic), id) }, "it is there for later")
}

// delayed lists the IDs of what is to come later.
func delayed(tb testing.TB, topic string) []string {
	tb.Helper()
	var ids []string
	for _, p := range pendingEntries(tb, shared, topic, "g", "~delayed") {
		ids = append(ids, p.id)
	}
	return ids
}

// receiveDue takes the message that was nacked at a time and is due a while
// later. It must not come before.
func receiveDue(tb testing.TB, out <-chan *message.Message, nacked time.Time, wait time.Duration) *message.Message {
	tb.Helper()
	msg := receive(tb, out, time.Until(nacked.Add(wait+dueTime)))
	require.GreaterOrEqual(tb, time.Since(nacked), wait, "it is not due")
	return msg
}

func requireCount(tb testing.TB, msg *message.Message, want int64) {
	tb.Helper()
	count, _ := redisstream.DeliveryCountFromContext(msg.Context())
	require.Equal(tb, want, count, "delivery count")
}

func TestReturnedMessageComesAgainWhenDueAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const wait = 1500 * time.Millisecond
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 50)
	out := subscribe(t, newSubscriber(t, shared, returning(wait)), topic)
	msg := receive(t, out, 5*time.Second)
	require.Equal(t, "0", string(msg.Payload))
	nacked := time.Now()
	require.True(t, msg.Nack())
	require.Equal(t, payloads(1, 50), receivePayloads(t, out, 49, time.Second))
	require.Less(t, time.Since(nacked), wait, "the others do not wait for it")
	msg = receiveDue(t, out, nacked, wait)
	require.Equal(t, "0", string(msg.Payload))
	requireCount(t, msg, 2)
	require.NotContains(t, consumers(t, shared, topic, "g"), "~delayed", "it has nothing left")
	require.True(t, msg.Ack())
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all is acked")
}

func TestReturnedMessageCountsItsDeliveries(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	asked := make(chan int, 10)
	config := returning(0)
	config.NackBackoff = func(attempt int) time.Duration {
		asked <- attempt
		return time.Duration(attempt) * 200 * time.Millisecond
	}
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	nacked, wait := time.Now(), time.Duration(0)
	for n := int64(1); n <= 4; n++ {
		msg := receiveDue(t, out, nacked, wait)
		requireCount(t, msg, n)
		require.Equal(t, n, pendingEntries(t, shared, topic, "g")[0].count)
		nacked, wait = time.Now(), time.Duration(n)*200*time.Millisecond
		require.True(t, msg.Nack())
		require.Equal(t, int(n), <-asked)
	}
}

func TestReturnedMessagesComeInTheOrderInWhichTheyAreDue(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 3)
	out := subscribe(t, newSubscriber(t, shared, returning(time.Hour)), topic)
	start := time.Now()
	waits := []time.Duration{3500 * time.Millisecond, 2500 * time.Millisecond, time.Second}
	for _, wait := range waits {
		nackFor(t, topic, receive(t, out, 5*time.Second), wait)
	}
	for i := range slices.Backward(waits) {
		msg := receiveDue(t, out, start, waits[i])
		require.Equal(t, strconv.Itoa(i), string(msg.Payload))
		require.True(t, msg.Ack())
	}
}

func TestReturnedMessageWaitsOnWhenItsConsumerEnds(t *testing.T) {
	t.Parallel()
	const wait = 3 * time.Second
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	first := newSubscriber(t, shared, returning(wait))
	msg := receive(t, subscribe(t, first, topic), 5*time.Second)
	nacked := time.Now()
	nackUntilDelayed(t, topic, msg)
	require.NoError(t, first.Close())
	require.Equal(t, []string{"~delayed"}, consumers(t, shared, topic, "g"))
	msg = receiveDue(t, subscribe(t, newSubscriber(t, shared, returning(wait)), topic), nacked, wait)
	requireCount(t, msg, 2)
	require.True(t, msg.Ack())
}

// Everything that looks for something to take over passes it by: sweeps, scans,
// members that come, and those that remove consumers.
func TestReturnedMessageIsNotTakenBeforeItIsDue(t *testing.T) {
	t.Parallel()
	const wait = 6 * time.Second
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 2)
	die(t, shared, topic, "g", "stranger", 1) // so that there is a reason to look at consumers
	config := returning(wait)
	config.MinIdle, config.ConsumerTimeout = time.Second, time.Second
	config.ShouldClaim = func(_ string, e redisstream.PendingEntry) bool {
		if e.Consumer != "stranger" {
			t.Errorf("asked about %+v", e)
		}
		return false
	}
	first := newSubscriber(t, shared, config)
	out := subscribe(t, first, topic)
	nacked := time.Now()
	nackUntilDelayed(t, topic, receive(t, out, 5*time.Second))
	second := subscribe(t, newSubscriber(t, shared, config), topic)
	requireNone(t, out, 2500*time.Millisecond)
	requireNone(t, second, 100*time.Millisecond) // who offers a message waits
	require.Len(t, delayed(t, topic), 1)
	require.NoError(t, first.Close())
	third := subscribe(t, newSubscriber(t, shared, config), topic)
	msg := receiveDue(t, either(t, second, third), nacked, wait)
	requireCount(t, msg, 2)
	require.True(t, msg.Ack())
}

// A short wait is not made longer by the time between two looks.
func TestReturnedMessagesComeSoonAfterTheyAreDue(t *testing.T) {
	t.Parallel()
	const total, step = 20, 100 * time.Millisecond
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	config := returning(time.Hour)
	config.MinIdle = 30 * time.Second
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	due := map[string]time.Time{}
	for i := range total {
		msg := receive(t, out, 5*time.Second)
		wait := time.Second + time.Duration(i)*step
		due[string(msg.Payload)] = time.Now().Add(wait)
		_ = redisstream.RetryAfter(msg.Context(), wait, errRefused)
		require.True(t, msg.Nack())
	}
	var late time.Duration
	for range total {
		msg := receive(t, out, 5*time.Second)
		late += time.Since(due[string(msg.Payload)])
		require.True(t, msg.Ack())
	}
	require.Less(t, late/total, step*2, "a look comes every second or so")

	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	msg := receive(t, out, 5*time.Second)
	start := time.Now()
	for range total { // each nack is the only thing that is waited for
		_ = redisstream.RetryAfter(msg.Context(), step, errRefused)
		require.True(t, msg.Nack())
		msg = receive(t, out, 5*time.Second)
	}
	require.Less(t, time.Since(start)/total, step*3)
	require.True(t, msg.Ack())
}

// Redis lists by ID and not by time.
func TestReturnedMessageBehindManyThatAreDueLaterComesWhenDue(t *testing.T) {
	t.Parallel()
	const total = 300 // more than one look shows
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	config := returning(time.Hour)
	config.MaxInFlight = total
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	var msgs []*message.Message
	for range total {
		msgs = append(msgs, receive(t, out, 5*time.Second))
	}
	for _, msg := range msgs[:total-1] {
		require.True(t, msg.Nack())
	}
	eventually(t, 10*time.Second, func() bool { return len(delayed(t, topic)) == total-1 }, "they are there for later")
	const wait = time.Second
	nacked := time.Now()
	nackFor(t, topic, msgs[total-1], wait)
	msg := receiveDue(t, out, nacked, wait)
	require.Equal(t, strconv.Itoa(total-1), string(msg.Payload))
	require.True(t, msg.Ack())
	require.Len(t, delayed(t, topic), total-1)
}

package redisstream_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

func deadLettersOf(tb testing.TB, topic, group string) *redisstream.DeadLetters {
	tb.Helper()
	d, err := newSubscriber(tb, shared, redisstream.SubscriberConfig{ConsumerGroup: group}).DeadLetters(topic)
	require.NoError(tb, err)
	return d
}

// reject has a message moved to the dead letters and returns the letter.
func reject(tb testing.TB, msg *message.Message, d *redisstream.DeadLetters) redisstream.DeadLetter {
	tb.Helper()
	_ = redisstream.Reject(msg.Context(), errBoom)
	require.True(tb, msg.Nack())
	return awaitLetter(tb, d)
}

// awaitLetter waits for the only letter.
func awaitLetter(tb testing.TB, d *redisstream.DeadLetters) redisstream.DeadLetter {
	tb.Helper()
	var letters []redisstream.DeadLetter
	eventually(tb, healTime, func() bool {
		var err error
		letters, err = d.List(tb.Context(), "", 10)
		return err == nil && len(letters) > 0
	}, "the letter arrives")
	require.Len(tb, letters, 1)
	return letters[0]
}

func requeue(tb testing.TB, d *redisstream.DeadLetters, id string) bool {
	tb.Helper()
	requeued, err := d.Requeue(tb.Context(), id)
	require.NoError(tb, err)
	return requeued
}

func TestRequeuedEntryComesAgainInItsGroupAlone(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	uuids := publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	g := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	h := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "h"}), topic)
	require.Equal(t, uuids, receiveAndAck(t, h, 1, healTime))
	msg := receive(t, g, healTime)
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	d := deadLettersOf(t, topic, "g")
	letter := reject(t, msg, d)

	require.True(t, requeue(t, d, letter.ID))
	again := receive(t, g, healTime)
	require.Equal(t, uuids[0], again.UUID)
	same, _ := redisstream.EntryIDFromContext(again.Context())
	require.Equal(t, id, same, "it is the entry itself")
	count, _ := redisstream.DeliveryCountFromContext(again.Context())
	require.EqualValues(t, 1, count, "as if it were new")
	require.True(t, again.Ack())

	require.False(t, requeue(t, d, letter.ID), "the second time there is nothing to do")
	requireNone(t, either(t, g, h), 3*time.Second)
	require.Zero(t, pendingCount(t, shared, topic, "g"))
}

func TestRequeueOfADeletedEntryIsACopyForItsGroupAlone(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	uuids := publish(t, publisher, topic, 1)
	g := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	h := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "h"}), topic)
	fanOut := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{Start: redisstream.StartOldest()}), topic)
	receiveAndAck(t, h, 1, healTime)
	receiveAndAck(t, fanOut, 1, healTime)
	d := deadLettersOf(t, topic, "g")
	letter := reject(t, receive(t, g, healTime), d)
	original := letter.EntryID
	shared.Do(t, "XDEL", topic, original)

	for range 2 { // the copy may be given up too, and lost
		require.True(t, requeue(t, d, letter.ID))
		require.False(t, requeue(t, d, letter.ID))
		again := receive(t, g, healTime)
		require.Equal(t, uuids[0], again.UUID)
		require.Equal(t, []byte("0"), []byte(again.Payload))
		letter = reject(t, again, d)
		require.Equal(t, []redisstream.Field{{Name: "requeued_for", Value: "g"}, {Name: "requeued_from", Value: original}}, letter.Fields[3:])
		shared.Do(t, "XDEL", topic, letter.EntryID)
	}
	next := publish(t, publisher, topic, 1)
	require.Equal(t, next, receiveAndAck(t, g, 1, healTime))
	require.Equal(t, next, receiveAndAck(t, h, 1, healTime), "another group skips the copies")
	require.Equal(t, next, receiveAndAck(t, fanOut, 1, healTime), "fan-out too")
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "h") == 0 }, "the copies are settled there")
}

func TestRequeueOfOneLetterByManyHappensOnce(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	g := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	d := deadLettersOf(t, topic, "g")
	letter := reject(t, receive(t, g, healTime), d)
	shared.Do(t, "XDEL", topic, letter.EntryID)

	var wg sync.WaitGroup
	var requeued atomic.Int64
	for range 20 {
		wg.Go(func() {
			if ok, err := d.Requeue(t.Context(), letter.ID); err == nil && ok {
				requeued.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, requeued.Load())
	require.EqualValues(t, 1, shared.Do(t, "XLEN", topic))
	receiveAndAck(t, g, 1, healTime)
	requireNone(t, g, time.Second)
}

// A burial without transactions may leave a letter of an entry that is pending.
func TestRequeueOfAPendingEntryLeavesItWhereItIs(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	g := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	d := deadLettersOf(t, topic, "g")
	letter := reject(t, receive(t, g, healTime), d)
	shared.Do(t, "XCLAIM", topic, "g", "somebody", "0", letter.EntryID, "FORCE", "JUSTID")
	require.True(t, requeue(t, d, letter.ID))
	require.Contains(t, consumers(t, shared, topic, "g"), "somebody")
	require.Equal(t, letter.EntryID, pendingOf(t, topic, "somebody"))
	shared.Do(t, "XACK", topic, "g", letter.EntryID)
}

func TestRequeueRefusesWhatIsNotItsLetter(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	sharedName := func(string) string { return "{" + topic + "}:all" }
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	g := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", DeadLetters: sharedName})
	h := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "h", DeadLetters: sharedName})
	dg, err := g.DeadLetters(topic)
	require.NoError(t, err)
	dh, err := h.DeadLetters(topic)
	require.NoError(t, err)
	require.Equal(t, dg.Stream(), dh.Stream())
	letter := reject(t, receive(t, subscribe(t, g, topic), healTime), dg)

	_, err = dh.Requeue(t.Context(), letter.ID)
	require.ErrorContains(t, err, `group "g"`)
	foreign := addRaw(t, dg.Stream(), []string{"a", "b"})
	_, err = dg.Requeue(t.Context(), foreign)
	require.ErrorContains(t, err, "is no dead letter")
	_, err = dg.Requeue(t.Context(), "first")
	var config *redisstream.ConfigError
	require.ErrorAs(t, err, &config)
	require.EqualValues(t, 2, shared.Do(t, "XLEN", dg.Stream()), "nothing is lost")

	shared.Do(t, "XGROUP", "DESTROY", topic, "g")
	require.NoError(t, g.Close())
	shared.Do(t, "XGROUP", "DESTROY", topic, "g")
	_, err = dg.Requeue(t.Context(), letter.ID)
	require.ErrorContains(t, err, "NOGROUP")
	require.EqualValues(t, 2, shared.Do(t, "XLEN", dg.Stream()), "nothing is lost")
}

// A script can't pass on as many values as an entry may have.
func TestRequeueOfALetterThatIsTooLongToCopyIsRefused(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	fields := make([]string, 10_000)
	for i := range fields {
		fields[i] = strconv.Itoa(i)
	}
	id := addRaw(t, topic, fields)
	s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"})
	subscribe(t, s, topic)
	d := deadLettersOf(t, topic, "g")
	letter := awaitLetter(t, d)
	require.True(t, requeue(t, d, letter.ID), "the entry itself is not copied")
	eventually(t, healTime, func() bool { n, err := d.Len(t.Context()); return err == nil && n == 1 }, "it is refused again")
	letter = awaitLetter(t, d)
	require.Equal(t, id, letter.EntryID)

	shared.Do(t, "XDEL", topic, id)
	_, err := d.Requeue(t.Context(), letter.ID)
	require.ErrorContains(t, err, "too many fields")
	require.Equal(t, letter, awaitLetter(t, d), "nothing is lost")
}

// strict takes entries of one field only.
type strict struct{}

func (strict) Unmarshal(e redisstream.Entry) (*message.Message, error) {
	if len(e.Fields) != 1 {
		return nil, fmt.Errorf("%d fields", len(e.Fields))
	}
	return message.NewMessage(e.Fields[0].Name, []byte(e.Fields[0].Value)), nil
}

// An unmarshaler sees the entry that was given up, without the address of the copy.
func TestRequeuedCopyIsUnmarshaledAsTheEntryThatItWas(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	id := addRaw(t, topic, []string{"uuid", "payload"})
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", Unmarshaler: strict{}}), topic)
	d := deadLettersOf(t, topic, "g")
	letter := reject(t, receive(t, out, healTime), d)
	shared.Do(t, "XDEL", topic, id)
	require.True(t, requeue(t, d, letter.ID))
	again := receive(t, out, healTime)
	require.Equal(t, "uuid", again.UUID)
	require.True(t, again.Ack())
}

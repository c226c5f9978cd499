package redisstream_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

var errBoom = errors.New("boom")

func TestDeadLettersAreListedAndDeleted(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	var entries []string
	for i := range 5 {
		entries = append(entries, addRaw(t, topic, []string{"n", strconv.Itoa(i)}))
	}
	subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	d := deadLettersOf(t, topic, "g")
	eventually(t, healTime, func() bool { n, err := d.Len(t.Context()); return err == nil && n == 5 }, "all are given up")

	var listed []redisstream.DeadLetter
	for after := ""; ; {
		page, err := d.List(t.Context(), after, 2)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		listed = append(listed, page...)
		after = page[len(page)-1].ID
	}
	require.Len(t, listed, 5)
	for i, letter := range listed {
		require.Equal(t, entries[i], letter.EntryID)
		require.Equal(t, []redisstream.Field{{Name: "n", Value: strconv.Itoa(i)}}, letter.Fields)
		require.Equal(t, []string{topic, "g"}, []string{letter.Topic, letter.Group})
		require.WithinDuration(t, time.Now(), letter.FirstTime, time.Minute)
		require.WithinDuration(t, time.Now(), letter.LastTime, time.Minute)
		require.Zero(t, letter.Deliveries, "nobody has seen it")
		require.Contains(t, letter.Reason, "is missing")
	}

	n, err := d.Delete(t.Context(), listed[0].ID, listed[1].ID, "1-1")
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	n, err = d.Len(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	n, err = d.Delete(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestDeadLettersRefuseBadArguments(t *testing.T) {
	t.Parallel()
	var config *redisstream.ConfigError
	_, err := newSubscriber(t, shared, redisstream.SubscriberConfig{}).DeadLetters("x")
	require.ErrorAs(t, err, &config, "fan-out has none")
	_, err = newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", AtMostOnce: true}).DeadLetters("x")
	require.ErrorAs(t, err, &config, "nothing is given up")
	s := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"})
	for _, topic := range []string{"", "a}b"} {
		_, err = s.DeadLetters(topic)
		require.ErrorAs(t, err, &config)
	}
	d := deadLettersOf(t, newTopic(t), "g")
	_, err = d.List(t.Context(), "", 0)
	require.ErrorAs(t, err, &config)
	_, err = d.List(t.Context(), "first", 1)
	require.ErrorAs(t, err, &config)
	_, err = d.Delete(t.Context(), "first")
	require.ErrorAs(t, err, &config)
	letters, err := d.List(t.Context(), "", 1)
	require.NoError(t, err)
	require.Empty(t, letters)
}

// Tools for Watermill's poison queue then understand it.
func TestDeadLettersCanBeSubscribedToAsMessages(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	uuids := publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	g := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	d := deadLettersOf(t, topic, "g")
	letter := reject(t, receive(t, g, healTime), d)

	msg := receive(t, subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "tool"}), d.Stream()), healTime)
	require.Equal(t, uuids[0], msg.UUID)
	require.Equal(t, "0", string(msg.Payload))
	require.Equal(t, "boom", msg.Metadata.Get("reason_poisoned"))
	require.Equal(t, topic, msg.Metadata.Get("topic_poisoned"))
	require.Equal(t, letter.EntryID, msg.Metadata.Get(redisstream.DeadEntryIDField))
	require.Equal(t, "1", msg.Metadata.Get(redisstream.DeadDeliveriesField))
	require.Len(t, msg.Metadata, 10)
	require.True(t, msg.Ack())
}

// The entry that is given up may be a dead letter itself.
func TestDeadLetterOfADeadLetterKeepsBoth(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	g := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	d := deadLettersOf(t, topic, "g")
	inner := reject(t, receive(t, g, healTime), d)
	tool := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "tool"}), d.Stream())
	outer := reject(t, receive(t, tool, healTime), deadLettersOf(t, d.Stream(), "tool"))
	require.Equal(t, inner.ID, outer.EntryID)
	require.Equal(t, "tool", outer.Group)
	require.Len(t, outer.Fields, 13)
	require.Equal(t, redisstream.Field{Name: redisstream.DeadGroupField, Value: "g"}, outer.Fields[8])
}

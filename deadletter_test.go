package redisstream_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// malformed are entries that are no messages, by what is wrong with them.
var malformed = map[string][]string{
	"no UUID":            {"b", "1", "a", "\x00\xff\r\n", "b", "2", "", "empty name", "payload", ""},
	"corrupt metadata":   {redisstream.UUIDField, "u", "metadata", "\xc1\x00\xff", "payload", "p", "extra", "x"},
	"metadata no map":    {redisstream.UUIDField, "u", "metadata", "\xa3abc", "payload", "p"},
	"truncated metadata": {redisstream.UUIDField, "u", "metadata", "\x82\xa1a", "payload", "p"},
}

// entriesOf lists the fields of a stream's entries, in order.
func entriesOf(tb testing.TB, key string) [][]string {
	tb.Helper()
	list, ok := shared.Do(tb, "XRANGE", key, "-", "+").([]any)
	require.True(tb, ok)
	entries := make([][]string, 0, len(list))
	for _, item := range list {
		parts, ok := item.([]any)
		require.True(tb, ok)
		fields, ok := parts[1].([]any)
		require.True(tb, ok)
		var flat []string
		for _, f := range fields {
			s, ok := f.(string)
			require.True(tb, ok)
			flat = append(flat, s)
		}
		entries = append(entries, flat)
	}
	return entries
}

func addRaw(tb testing.TB, topic string, fields []string) string {
	tb.Helper()
	id, ok := shared.Do(tb, append([]string{"XADD", topic, "*"}, fields...)...).(string)
	require.True(tb, ok)
	return id
}

// asMap reads the fields that a dead letter has behind those of the entry.
func asMap(fields []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(fields); i += 2 {
		m[fields[i]] = fields[i+1]
	}
	return m
}

func requireLetter(tb testing.TB, letter, fields []string, topic, group, id string) {
	tb.Helper()
	require.Equal(tb, fields, letter[:len(fields)], "the entry's own fields come first, as they were")
	more := asMap(letter[len(fields):])
	require.Equal(tb, topic, more["topic_poisoned"])
	require.NotEmpty(tb, more["reason_poisoned"])
	require.Equal(tb, id, more[redisstream.DeadEntryIDField])
	require.Equal(tb, group, more[redisstream.DeadGroupField])
	require.NotEmpty(tb, more[redisstream.DeadConsumerField])
	require.Equal(tb, "0", more[redisstream.DeadDeliveriesField], "nobody has seen it")
}

func TestMalformedEntryEndsAsADeadLetterAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	for name, fields := range malformed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publisher := newPublisher(t, shared.Client(t))
			before := publish(t, publisher, topic, 3)
			id := addRaw(t, topic, fields)
			after := publish(t, publisher, topic, 3)
			out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
			receiveAndAckAll(t, out, append(before, after...))
			eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it is settled in the group")
			letters := entriesOf(t, "{"+topic+"}:dead:g")
			require.Len(t, letters, 1)
			requireLetter(t, letters[0], fields, topic, "g", id)
		})
	}
}

func TestEachGroupHasItsOwnDeadLetters(t *testing.T) {
	t.Parallel()
	topic := "{tag}-" + newTopic(t)
	fields := malformed["no UUID"]
	id := addRaw(t, topic, fields)
	for _, group := range []string{"g", "h"} {
		subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group}), topic)
	}
	for _, group := range []string{"g", "h"} {
		dead := topic + ":dead:" + group
		eventually(t, healTime, func() bool { return len(entriesOf(t, dead)) > 0 }, "the letter arrives")
		eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, group) == 0 }, "it is settled")
		letters := entriesOf(t, dead)
		require.Len(t, letters, 1)
		requireLetter(t, letters[0], fields, topic, group, id)
	}
}

func TestCompetingMembersMakeOneDeadLetterOfAnEntry(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second}
	all := either(t, subscribe(t, newSubscriber(t, shared, config), topic), subscribe(t, newSubscriber(t, shared, config), topic))
	var uuids []string
	for i := range 100 {
		if i%5 == 0 {
			addRaw(t, topic, []string{"n", strconv.Itoa(i)})
		}
		uuids = append(uuids, publish(t, publisher, topic, 1)...)
	}
	requireOnce(t, ackUntilSeen(t, all, uuids, healTime))
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all is settled")
	requireNone(t, all, 100*time.Millisecond)
	seen := map[string]int{}
	for _, letter := range entriesOf(t, "{"+topic+"}:dead:g") {
		seen[letter[1]]++
	}
	require.Len(t, seen, 20)
	requireOnce(t, seen)
}

func TestEntryThatCannotBeMovedStaysPendingUntilItCan(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	dead := "{" + topic + "}:dead:g"
	publisher := newPublisher(t, shared.Client(t))
	shared.Do(t, "SET", dead, "no stream")
	fields := malformed["corrupt metadata"]
	before := publish(t, publisher, topic, 3)
	id := addRaw(t, topic, fields)
	s, l := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second})
	out := subscribe(t, s, topic)
	receiveAndAckAll(t, out, append(before, publish(t, publisher, topic, 3)...))
	eventually(t, healTime, func() bool { return l.contains("WRONGTYPE") }, "the log says so")
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "only it is left")
	owner := consumers(t, shared, topic, "g")
	require.Len(t, owner, 1)
	all := either(t, out, subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second}), topic))
	requireNone(t, all, 5*time.Second) // long enough for the other member to take what is not renewed
	require.Equal(t, id, pendingOf(t, topic, owner[0]))
	ackUntilSeen(t, all, publish(t, publisher, topic, 3), healTime)

	shared.Do(t, "DEL", dead)
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it moves when the cause is gone")
	letters := entriesOf(t, dead)
	require.Len(t, letters, 1)
	requireLetter(t, letters[0], fields, topic, "g", id)
}

func TestEntryThatCannotBeMovedIsGivenBackAtTheEnd(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	dead := "{" + topic + "}:dead:g"
	shared.Do(t, "SET", dead, "no stream")
	fields := malformed["no UUID"]
	id := addRaw(t, topic, fields)
	s, l := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"})
	subscribe(t, s, topic)
	eventually(t, healTime, func() bool { return l.contains("WRONGTYPE") }, "it was tried")
	require.NoError(t, s.Close())
	require.Equal(t, []string{"~released"}, consumers(t, shared, topic, "g"))
	shared.Do(t, "DEL", dead)
	subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "the next one moves it")
	letters := entriesOf(t, dead)
	require.Len(t, letters, 1)
	requireLetter(t, letters[0], fields, topic, "g", id)
}

func TestFanOutLogsAndSkipsAMalformedEntry(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	s, l := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{})
	out := subscribe(t, s, topic)
	before := publish(t, publisher, topic, 3)
	id := addRaw(t, topic, malformed["no UUID"])
	receiveAndAckAll(t, out, append(before, publish(t, publisher, topic, 3)...))
	require.True(t, l.contains(id))
	require.Equal(t, int64(0), shared.Do(t, "EXISTS", "{"+topic+"}:dead:"))
}

// However many bad entries can't be moved, the good ones go on.
func TestManyEntriesThatCannotBeMovedHoldUpNothing(t *testing.T) {
	t.Parallel()
	const bad = 1100 // more than acks may be unconfirmed
	topic := newTopic(t)
	dead := "{" + topic + "}:dead:g"
	shared.Do(t, "SET", dead, "no stream")
	shared.Do(t, "EVAL", `for i = 1, `+strconv.Itoa(bad)+` do redis.call('XADD', KEYS[1], '*', 'x', i) end`, "1", topic)
	good := publish(t, newPublisher(t, shared.Client(t)), topic, 3)
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	require.Equal(t, good, receiveAndAck(t, out, 3, 10*time.Second))
	shared.Do(t, "DEL", dead)
	eventually(t, 10*time.Second, func() bool { return shared.Do(t, "XLEN", dead) == int64(bad) }, "all are moved")
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "nothing is pending")
}

// A script can't pass on as many values as an entry may have.
func TestEntryWithThousandsOfFieldsEndsAsADeadLetter(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	fields := make([]string, 10_000)
	for i := range fields {
		fields[i] = strconv.Itoa(i)
	}
	id := addRaw(t, topic, fields)
	good := publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	require.Equal(t, good, receiveAndAck(t, out, 1, 5*time.Second))
	dead := "{" + topic + "}:dead:g"
	eventually(t, 5*time.Second, func() bool { return shared.Do(t, "XLEN", dead) == int64(1) }, "it is moved")
	requireLetter(t, entriesOf(t, dead)[0], fields, topic, "g", id)
}

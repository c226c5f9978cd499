package redisstream_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

func TestDeadLettersGoToTheConfiguredStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		topic func(string) string
		dead  func(string) string
	}{
		"the topic as its hash tag": {func(s string) string { return s }, func(topic string) string { return "{" + topic + "}:failed" }},
		"behind something":          {func(s string) string { return s }, func(topic string) string { return "failed:{" + topic + "}" }},
		"the topic's hash tag":      {func(s string) string { return "orders:{" + s + "}" }, func(topic string) string { return "failed:" + topic }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := c.topic(newTopic(t))
			config := atMost(1)
			config.DeadLetters = func(of string) string {
				if of != topic {
					t.Errorf("asked about %q", of)
				}
				return c.dead(of)
			}
			publish(t, newPublisher(t, shared.Client(t)), topic, 1)
			bad := addRaw(t, topic, malformed["no UUID"])
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			require.True(t, receive(t, out, 5*time.Second).Nack())
			eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 && len(entriesOf(t, c.dead(topic))) == 2 }, "both are moved")
			letters := entriesOf(t, c.dead(topic))
			require.Equal(t, bad, asMap(letters[1])[redisstream.DeadEntryIDField])
			require.Zero(t, length(t, shared, topic+":dead:g")+length(t, shared, "{"+topic+"}:dead:g"))
		})
	}
}

func TestDeadLettersHaveToBeAnotherStreamOfTheSameSlot(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	for _, topic := range []string{topic, "x:{" + topic + "}"} {
		for _, dead := range []string{"", topic, "failed", "failed:{other}", "{}" + topic} {
			config := atMost(1)
			config.DeadLetters = func(string) string { return dead }
			s := newSubscriber(t, shared, config)
			_, err := s.Subscribe(context.Background(), topic)
			var bad *redisstream.ConfigError
			require.ErrorAs(t, err, &bad, dead)
			require.Equal(t, "SubscriberConfig.DeadLetters", bad.Field)
			require.Equal(t, dead, bad.Value)
			require.Contains(t, bad.Reason, topic[len(topic)-5:], "it tells a name that will do")
			require.Zero(t, shared.Do(t, "EXISTS", topic), "nothing was done")
		}
	}
}

// Whoever follows the advice of the error must not get it again.
func TestDeadLettersTakeTheNameThatTheErrorTells(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{newTopic(t), "x:{" + newTopic(t) + "}"} {
		config := atMost(1)
		config.BlockingPoolSize = 9 // for one subscription: the one that failed must not take it
		name := ""
		config.DeadLetters = func(string) string { return name }
		s := newSubscriber(t, shared, config)
		_, err := s.Subscribe(context.Background(), topic)
		var bad *redisstream.ConfigError
		require.ErrorAs(t, err, &bad)
		name, err = strconv.Unquote(bad.Reason[strings.LastIndex(bad.Reason, " ")+1:])
		require.NoError(t, err)
		subscribe(t, s, topic)
	}
}

func TestMaxDeadLettersDropsTheOldest(t *testing.T) {
	t.Parallel()
	const total, most = 500, 100
	topic := newTopic(t)
	config := atMost(1)
	config.MaxDeadLetters = most
	publish(t, newPublisher(t, shared.Client(t)), topic, total)
	ids := entryIDs(t, shared, topic)
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	for range total {
		require.True(t, receive(t, out, 5*time.Second).Nack())
	}
	eventually(t, 10*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all are given up")
	letters := lettersOf(t, topic)
	require.GreaterOrEqual(t, len(letters), most)
	require.LessOrEqual(t, len(letters), 2*most+10, "it trims in steps of about a hundred")
	kept := ids[total-len(letters):]
	for i, letter := range letters {
		require.Equal(t, kept[i], letter[redisstream.DeadEntryIDField])
	}
}

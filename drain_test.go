package redisstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// draining has a subscriber close while the message is in hand.
func draining(tb testing.TB, s *redisstream.Subscriber) (closed <-chan error) {
	tb.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Close() }()
	eventually(tb, 5*time.Second, func() bool {
		_, err := s.Subscribe(context.Background(), newTopic(tb))
		return errors.Is(err, redisstream.ErrSubscriberClosed)
	}, "the end has begun")
	return done
}

// What a handler says of its message counts as long as it is waited for.
func TestSubscriptionHeedsVerdictsWhileItDrains(t *testing.T) {
	t.Parallel()
	for _, policy := range policies {
		for name, c := range map[string]struct {
			settle  func(msg *message.Message)
			pending int64
			letters int
		}{
			"reject":      {func(msg *message.Message) { _ = verdicts["reject"](msg.Context()) }, 0, 1},
			"drop":        {func(msg *message.Message) { _ = verdicts["drop"](msg.Context()) }, 0, 0},
			"retry":       {func(msg *message.Message) { _ = verdicts["retry"](msg.Context()) }, 1, 0},
			"say nothing": {func(*message.Message) {}, 1, 0},
		} {
			t.Run(policy.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				topic := newTopic(t)
				publish(t, newPublisher(t, shared.Client(t)), topic, 1)
				s := newSubscriber(t, shared, patient(policy))
				msg := receive(t, subscribe(t, s, topic), 5*time.Second)
				closed := draining(t, s)
				c.settle(msg)
				start := time.Now()
				require.True(t, msg.Nack())
				require.NoError(t, <-closed)
				require.Less(t, time.Since(start), 2*time.Second, "no back-off holds it up")
				require.Len(t, lettersOf(t, topic), c.letters)
				left := pendingEntries(t, shared, topic, "g")
				require.Len(t, left, int(c.pending))
				for _, p := range left {
					require.Contains(t, []string{"~released", "~delayed"}, p.consumer)
					require.Equal(t, int64(1), p.count)
				}
			})
		}
	}
}

func TestLastFailureCountsWhileASubscriptionDrains(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	s := newSubscriber(t, shared, atMost(1))
	msg := receive(t, subscribe(t, s, topic), 5*time.Second)
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	closed := draining(t, s)
	require.True(t, msg.Nack())
	require.NoError(t, <-closed)
	awaitOnlyLetter(t, topic, id, time.Second)
}

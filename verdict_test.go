package redisstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// patient is the configuration of a member that would hand out a nacked message
// again after an hour, if nothing else was said.
func patient(policy redisstream.NackPolicy) redisstream.SubscriberConfig {
	config := returning(time.Hour)
	config.NackPolicy = policy
	return config
}

var policies = []redisstream.NackPolicy{redisstream.RedeliverInPlace, redisstream.ReturnToGroup}

// verdicts are what a handler may say of a message.
var verdicts = map[string]func(ctx context.Context) error{
	"reject": func(ctx context.Context) error { return redisstream.Reject(ctx, errRefused) },
	"drop":   func(ctx context.Context) error { return redisstream.Drop(ctx, errRefused) },
	"retry":  func(ctx context.Context) error { return redisstream.RetryAfter(ctx, time.Second, errRefused) },
}

func TestVerdictIsAnErrorWithTheReason(t *testing.T) {
	t.Parallel()
	for name, say := range verdicts {
		err := say(context.Background()) // of no message, so that nothing can be done
		var verdict *redisstream.VerdictError
		require.ErrorAs(t, errors.Join(errors.New("other"), err), &verdict, name)
		require.ErrorIs(t, err, errRefused)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, errRefused.Error())
	}
	require.ErrorContains(t, redisstream.RetryAfter(context.Background(), time.Minute, nil), "retry after 1m0s: no reason given")
	require.ErrorContains(t, redisstream.RetryAfter(context.Background(), -time.Minute, errRefused), "retry after 0s")
	require.Error(t, errors.Unwrap(redisstream.Reject(context.Background(), nil)))
}

func TestRejectedMessageMovesToTheDeadLettersAtOnce(t *testing.T) {
	t.Parallel()
	for _, policy := range policies {
		t.Run(policy.String(), func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, 2)
			out := subscribe(t, newSubscriber(t, shared, patient(policy)), topic)
			msg := receive(t, out, 5*time.Second)
			id, _ := redisstream.EntryIDFromContext(msg.Context())
			_ = redisstream.Reject(msg.Context(), errRefused)
			requireNone(t, out, 200*time.Millisecond)
			require.Empty(t, lettersOf(t, topic), "to say it is not to nack it")
			require.True(t, msg.Nack())
			letter := awaitOnlyLetter(t, topic, id, healTime)
			require.Equal(t, errRefused.Error(), letter[redisstream.DeadReasonField])
			require.Equal(t, "1", letter[redisstream.DeadDeliveriesField])
			require.Equal(t, payloads(1, 2), receivePayloads(t, out, 1, 5*time.Second))
			require.False(t, msg.Ack())
			requireNone(t, out, 100*time.Millisecond)
		})
	}
}

func TestDroppedMessageIsSettledWithoutALetter(t *testing.T) {
	t.Parallel()
	for _, policy := range policies {
		t.Run(policy.String(), func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, 1)
			config := patient(policy)
			config.MaxDeliveries = 1 // it is not the message that failed
			s, l := newLoggedSubscriber(t, shared, config)
			msg := receive(t, subscribe(t, s, topic), 5*time.Second)
			_ = redisstream.Drop(msg.Context(), errRefused)
			require.True(t, msg.Nack())
			eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it is settled")
			require.Empty(t, lettersOf(t, topic))
			require.True(t, l.contains(errRefused.Error()))
		})
	}
}

func TestRetryAfterOverrulesTheBackoffOfThisNack(t *testing.T) {
	t.Parallel()
	const wait = time.Second
	for _, policy := range policies {
		t.Run(policy.String(), func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, 1)
			config := patient(policy)
			config.MaxDeliveries = 3
			config.NackBackoff = func(attempt int) time.Duration {
				if attempt != 2 {
					t.Errorf("asked for the back-off of attempt %d", attempt)
				}
				return 0
			}
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			msg := receive(t, out, 5*time.Second)
			_ = redisstream.RetryAfter(msg.Context(), wait, errRefused)
			nacked := time.Now()
			require.True(t, msg.Nack())
			msg = receiveDue(t, out, nacked, wait)
			requireCount(t, msg, 2)
			require.True(t, msg.Nack()) // of this one nothing was said
			msg = receive(t, out, dueTime)
			requireCount(t, msg, 3)
			id, _ := redisstream.EntryIDFromContext(msg.Context())
			_ = redisstream.RetryAfter(msg.Context(), wait, errRefused)
			require.True(t, msg.Nack())
			letter := awaitOnlyLetter(t, topic, id, healTime)
			require.Contains(t, letter[redisstream.DeadReasonField], errRefused.Error(), "MaxDeliveries goes on counting")
			require.Equal(t, "3", letter[redisstream.DeadDeliveriesField])
		})
	}
}

func TestRetryAfterNoTimeIsAtOnce(t *testing.T) {
	t.Parallel()
	for _, policy := range policies {
		t.Run(policy.String(), func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, 1)
			out := subscribe(t, newSubscriber(t, shared, patient(policy)), topic)
			for _, wait := range []time.Duration{0, -time.Hour} {
				msg := receive(t, out, dueTime)
				_ = redisstream.RetryAfter(msg.Context(), wait, errRefused)
				require.True(t, msg.Nack())
			}
			require.True(t, receive(t, out, dueTime).Ack())
		})
	}
}

func TestAckOverrulesAVerdict(t *testing.T) {
	t.Parallel()
	for name, say := range verdicts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publish(t, newPublisher(t, shared.Client(t)), topic, 1)
			s, l := newLoggedSubscriber(t, shared, patient(redisstream.ReturnToGroup))
			out := subscribe(t, s, topic)
			msg := receive(t, out, 5*time.Second)
			_ = say(msg.Context())
			require.True(t, msg.Ack())
			eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it is acked")
			requireNone(t, out, 1500*time.Millisecond)
			require.Empty(t, lettersOf(t, topic))
			require.False(t, l.contains(errRefused.Error()))
		})
	}
}

func TestLastOfSeveralVerdictsCounts(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	out := subscribe(t, newSubscriber(t, shared, patient(redisstream.RedeliverInPlace)), topic)
	msg := receive(t, out, 5*time.Second)
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	_ = redisstream.Reject(msg.Context(), errRefused)
	_ = redisstream.Drop(msg.Context(), errRefused)
	_ = redisstream.RetryAfter(msg.Context(), 0, errRefused)
	require.True(t, msg.Nack())
	msg = receive(t, out, 5*time.Second)
	_ = redisstream.RetryAfter(msg.Context(), 0, errRefused)
	_ = redisstream.Reject(msg.Context(), errors.New("the last word"))
	require.True(t, msg.Nack())
	require.Equal(t, "the last word", awaitOnlyLetter(t, topic, id, healTime)[redisstream.DeadReasonField])
}

// Middlewares give messages contexts of their own, made from the one they had.
func TestVerdictWorksThroughDerivedContexts(t *testing.T) {
	t.Parallel()
	type key struct{}
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 1)
	out := subscribe(t, newSubscriber(t, shared, patient(redisstream.RedeliverInPlace)), topic)
	msg := receive(t, out, 5*time.Second)
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	msg.SetContext(context.WithValue(msg.Context(), key{}, "value"))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(msg.Context()), time.Minute)
	defer cancel()
	_ = redisstream.Reject(ctx, errRefused)
	require.True(t, msg.Nack())
	awaitOnlyLetter(t, topic, id, healTime)
}

func TestFanOutHeedsVerdicts(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	config := redisstream.SubscriberConfig{NackBackoff: func(int) time.Duration { return time.Hour }}
	s, l := newLoggedSubscriber(t, shared, config)
	out := subscribe(t, s, topic)
	publish(t, newPublisher(t, shared.Client(t)), topic, 4)
	for i, say := range []string{"reject", "drop"} {
		msg := receive(t, out, 5*time.Second)
		require.Equal(t, payloads(i, i+1), []string{string(msg.Payload)})
		require.Error(t, verdicts[say](msg.Context()))
		require.True(t, msg.Nack())
	}
	msg := receive(t, out, 5*time.Second)
	_ = redisstream.RetryAfter(msg.Context(), time.Second, errRefused)
	nacked := time.Now()
	require.True(t, msg.Nack())
	msg = receiveDue(t, out, nacked, time.Second)
	require.Equal(t, "2", string(msg.Payload), "it keeps its place")
	require.True(t, msg.Ack())
	require.Equal(t, payloads(3, 4), receivePayloads(t, out, 1, 5*time.Second))
	require.True(t, l.contains("ERROR Skipping"))
	require.True(t, l.contains("INFO Dropped"))
	require.Empty(t, shared.Do(t, "KEYS", "{"+topic+"}*"))
}

func TestAtMostOnceDropsWhateverItsHandlerSays(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 4)
	s, l := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", AtMostOnce: true})
	out := subscribe(t, s, topic)
	for _, say := range verdicts {
		msg := receive(t, out, 5*time.Second)
		_ = say(msg.Context())
		require.True(t, msg.Nack())
	}
	require.Equal(t, payloads(3, 4), receivePayloads(t, out, 1, 5*time.Second))
	requireNone(t, out, 100*time.Millisecond)
	require.Empty(t, lettersOf(t, topic))
	require.Empty(t, l.shared.errors, "it is what was asked for")
}

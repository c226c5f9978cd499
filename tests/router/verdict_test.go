package router_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// isVerdict reports whether a handler has decided what becomes of its message.
func isVerdict(err error) bool {
	var verdict *redisstream.VerdictError
	return errors.As(err, &verdict)
}

// retryTwice retries errors that are not a handler's last word.
func retryTwice() message.HandlerMiddleware {
	return middleware.Retry{
		MaxRetries: 2, InitialInterval: time.Millisecond, Multiplier: 1,
		ShouldRetry: func(p middleware.RetryParams) bool { return !isVerdict(p.Err) },
	}.Middleware
}

func TestRouterTellsTheReasonAndTheHandlerOfADeadLetter(t *testing.T) {
	t.Parallel()
	panics := func(*message.Message) error { panic("in a panic") } //nolint:forbidigo // as handlers do
	for name, c := range map[string]struct {
		handle      func(msg *message.Message) error
		middlewares []message.HandlerMiddleware
		reason      string
		calls       int32
	}{
		"an error":         {func(*message.Message) error { return errRefused }, []message.HandlerMiddleware{redisstream.RecordError}, errRefused.Error(), 1},
		"not recorded":     {func(*message.Message) error { return errRefused }, nil, "no reason given", 1},
		"a panic":          {panics, []message.HandlerMiddleware{redisstream.RecordError, middleware.Recoverer}, "in a panic", 1},
		"after retries":    {func(*message.Message) error { return errRefused }, []message.HandlerMiddleware{redisstream.RecordError, retryTwice()}, errRefused.Error(), 3},
		"panic in retries": {panics, []message.HandlerMiddleware{redisstream.RecordError, retryTwice(), middleware.Recoverer}, "in a panic", 3},
		"rejected":         {func(msg *message.Message) error { return redisstream.Reject(msg.Context(), errRefused) }, []message.HandlerMiddleware{redisstream.RecordError, retryTwice()}, errRefused.Error(), 1},
		"rejected in another context": {func(msg *message.Message) error {
			return redisstream.Reject(msg.Context(), errRefused)
		}, []message.HandlerMiddleware{middleware.Timeout(time.Minute), middleware.CorrelationID}, errRefused.Error(), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.publish("0")
			var calls atomic.Int32
			w.route(redisstream.SubscriberConfig{MaxDeliveries: 1}, func(msg *message.Message) error {
				calls.Add(1)
				return c.handle(msg)
			}, c.middlewares...)
			letter := w.awaitLetter()
			require.Contains(t, letter.Reason, c.reason)
			require.Equal(t, "pack", letter.Handler)
			require.Equal(t, "redisstream.Subscriber", letter.Subscriber)
			require.EqualValues(t, 1, letter.Deliveries)
			require.Equal(t, c.calls, calls.Load())
		})
	}
}

// What the last delivery failed with is the reason, and not what the first did.
func TestRouterTellsTheReasonOfTheLastDelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("0")
	w.route(redisstream.SubscriberConfig{MaxDeliveries: 2}, func(msg *message.Message) error {
		if count, _ := redisstream.DeliveryCountFromContext(msg.Context()); count == 1 {
			return errors.New("the first failure")
		}
		return errRefused
	}, redisstream.RecordError)
	require.Equal(t, "failed in each of 2 deliveries, the last time with: "+errRefused.Error(), w.awaitLetter().Reason)
}

// What a middleware makes of a verdict is up to it: Watermill's poison queue takes
// the message and acks, unless it is told to leave it.
func TestPoisonQueueTakesRejectedMessagesUnlessItIsToldNotTo(t *testing.T) {
	t.Parallel()
	for name, filter := range map[string]func(error) bool{
		"all": func(error) bool { return true }, "no verdicts": func(err error) bool { return !isVerdict(err) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			poison, err := middleware.PoisonQueueWithFilter(w.publisher, "poison", filter)
			require.NoError(t, err)
			w.publish("0")
			w.route(redisstream.SubscriberConfig{}, func(msg *message.Message) error {
				return redisstream.Reject(msg.Context(), errRefused)
			}, redisstream.RecordError, poison)
			if name == "all" {
				w.eventually(func() bool { return w.server.Do(t, "XLEN", "poison") == int64(1) }, "it is in the poison queue")
				w.eventually(w.settled, "it is acked")
				require.Empty(t, w.letters(), "an ack overrules")
				return
			}
			w.awaitLetter()
			require.EqualValues(t, 0, w.server.Do(t, "XLEN", "poison"))
		})
	}
}

func TestRouterHandlerMayDropOrComeBackLater(t *testing.T) {
	t.Parallel()
	const wait = time.Second
	w := newWorld(t)
	w.publish("later", "never")
	var first, again atomic.Int64
	w.route(redisstream.SubscriberConfig{NackPolicy: redisstream.ReturnToGroup}, func(msg *message.Message) error {
		count, _ := redisstream.DeliveryCountFromContext(msg.Context())
		switch {
		case string(msg.Payload) == "never":
			return redisstream.Drop(msg.Context(), errRefused)
		case count == 1:
			first.Store(time.Now().UnixNano())
			return redisstream.RetryAfter(msg.Context(), wait, errRefused)
		default:
			again.Store(time.Now().UnixNano())
			return nil
		}
	}, redisstream.RecordError, retryTwice())
	w.eventually(func() bool { return again.Load() > 0 && w.settled() }, "both are settled")
	require.GreaterOrEqual(t, time.Duration(again.Load()-first.Load()), wait)
	require.Empty(t, w.letters())
}

// What a handler returns counts also if it has another context at hand.
func TestRouterHeedsAVerdictOfAnotherContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("0")
	w.route(redisstream.SubscriberConfig{}, func(msg *message.Message) error {
		return redisstream.Reject(msg.Copy().Context(), errRefused)
	}, redisstream.RecordError)
	require.Equal(t, errRefused.Error(), w.awaitLetter().Reason)
}

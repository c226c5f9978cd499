package redisstream

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// Entries share blocks of memory. A message that a handler keeps must not keep those that came with it.
func TestMessageInHandDoesNotKeepOthers(t *testing.T) {
	t.Parallel()
	for name, settle := range map[string]func(*message.Message) bool{"acked": (*message.Message).Ack, "nacked": (*message.Message).Nack} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := SubscriberConfig{MaxInFlight: entryBlock, Unmarshaler: bare{}, AtMostOnce: true} // a nack drops the message
			out := handOutOf(t, config, readOf(entryBlock, 0))
			held := <-out
			defer held.Ack()
			var others []weak.Pointer[message.Message]
			for range entryBlock - 1 {
				msg := <-out
				others = append(others, weak.Make(msg))
				require.True(t, settle(msg))
			}
			for _, other := range others {
				requireForgotten(t, other)
			}
			runtime.KeepAlive(held)
		})
	}
}

// Nor must one that waits to come again keep the message that its handler had.
func TestNackedMessageIsNotKeptUntilItComesAgain(t *testing.T) {
	t.Parallel()
	for name, maxInFlight := range map[string]int{"one in flight": 1, "several": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := SubscriberConfig{MaxInFlight: maxInFlight, Unmarshaler: bare{}, NackBackoff: func(int) time.Duration { return time.Hour }}
			msg := <-handOutOf(t, config, readOf(1, 0))
			nacked := weak.Make(msg)
			require.True(t, msg.Nack())
			requireForgotten(t, nacked)
		})
	}
}

// handOutOf is the channel of a subscription that holds a batch and reads no more. It ends with the test.
func handOutOf(t *testing.T, config SubscriberConfig, batch []xstream.Entry) <-chan *message.Message {
	t.Helper()
	sub, out, end := handingOut(config)
	t.Cleanup(end)
	sub.ledger.admit(batch, read())
	return out
}

func requireForgotten(t *testing.T, msg weak.Pointer[message.Message]) {
	t.Helper()
	require.Eventually(t, func() bool {
		runtime.GC()
		return msg.Value() == nil
	}, 10*time.Second, time.Millisecond)
}

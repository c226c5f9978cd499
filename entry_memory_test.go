package redisstream

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// Entries share blocks of memory. A message that a handler keeps must not keep those that came with it.
func TestMessageInHandDoesNotKeepOthers(t *testing.T) {
	t.Parallel()
	for name, settle := range map[string]func(*message.Message) bool{"acked": (*message.Message).Ack, "nacked": (*message.Message).Nack} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := SubscriberConfig{MaxInFlight: entryBlock, Unmarshaler: bare{}, AtMostOnce: true} // a nack drops the message
			s := &Subscriber{config: config.withDefaults(), log: newLogger(nil)}
			out := make(chan *message.Message)
			sub := s.newSubscription(t.Context(), "topic", place{stream: "topic"}, out)
			sub.dispatcher.log = sub.log
			ctx, cancel := context.WithCancel(t.Context())
			var handing sync.WaitGroup
			handing.Go(func() { sub.dispatcher.run(ctx, ctx) })
			defer handing.Wait()
			defer cancel()
			sub.ledger.admit(readOf(entryBlock, 0), read())
			held := <-out
			defer held.Ack()
			var others []weak.Pointer[message.Message]
			for range entryBlock - 1 {
				msg := <-out
				others = append(others, weak.Make(msg))
				require.True(t, settle(msg))
			}
			for _, other := range others {
				require.Eventually(t, func() bool {
					runtime.GC()
					return other.Value() == nil
				}, 10*time.Second, time.Millisecond)
			}
			runtime.KeepAlive(held)
		})
	}
}

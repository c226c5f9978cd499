package redisstream

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// BenchmarkDispatch takes entries through ledger and dispatcher to a caller that
// acks at once, without a group and without a server. They come in batches of a
// read, and have no fields; what the unmarshaler does has a benchmark of its own.
func BenchmarkDispatch(b *testing.B) {
	for _, inFlight := range []int{1, 64} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			config := SubscriberConfig{MaxInFlight: inFlight, Unmarshaler: bare{}}
			sub, out, end := handingOut(config)
			b.ReportAllocs()
			for taken := uint64(0); b.Loop(); taken++ {
				if taken%maxPrefetch == 0 {
					sub.ledger.admit(readOf(maxPrefetch, taken), read())
				}
				if !(<-out).Ack() {
					b.Fatal("not acked")
				}
			}
			end()
			require.Less(b, sub.ledger.size(), maxPrefetch, "what was acked is gone")
		})
	}
}

// BenchmarkDispatchInOrder is the same for messages of ten keys, and behind a thousand of
// one whose handler takes for ever.
func BenchmarkDispatchInOrder(b *testing.B) {
	for _, before := range []uint64{0, 1, 1000} {
		b.Run(fmt.Sprintf("blocked=%d", before), func(b *testing.B) {
			config := SubscriberConfig{MaxInFlight: 64, Unmarshaler: bare{}, PartitionKey: func(_ string, msg *message.Message) (string, error) {
				return msg.UUID[len(msg.UUID)-3:], nil // such as "7-1"; what comes before has "0-2"
			}}
			sub, out, end := handingOut(config)
			slow := make([]xstream.Entry, before)
			for i := range slow {
				slow[i] = xstream.Entry{ID: xstream.ID{Ms: uint64(i+1) * 10, Seq: 2}, Deliveries: 1}
			}
			sub.ledger.admit(slow, read())
			if before > 0 {
				held := <-out
				defer held.Ack()
			}
			b.ReportAllocs()
			for taken := uint64(0); b.Loop(); taken++ {
				if taken%maxPrefetch == 0 {
					sub.ledger.admit(readOf(maxPrefetch, 10*before+taken), read())
				}
				if !(<-out).Ack() {
					b.Fatal("not acked")
				}
			}
			sub.abandon()
			end()
		})
	}
}

// handingOut is a subscription that only hands out, and its channel. end waits until all is settled.
func handingOut(config SubscriberConfig) (sub *subscription, out <-chan *message.Message, end func()) {
	s := &Subscriber{config: config.withDefaults(), log: newLogger(nil)}
	messages := make(chan *message.Message)
	sub = s.newSubscription(context.Background(), "topic", place{stream: "topic"}, messages)
	sub.dispatcher.log = sub.log
	ctx, cancel := context.WithCancel(context.Background())
	var handing sync.WaitGroup
	handing.Go(func() { sub.dispatcher.run(ctx, ctx) })
	return sub, messages, func() {
		cancel()
		handing.Wait()
	}
}

// readOf are the next n entries after a time.
func readOf(n int, after uint64) []xstream.Entry {
	entries := make([]xstream.Entry, n)
	for i := range entries {
		after++
		entries[i] = xstream.Entry{ID: xstream.ID{Ms: after, Seq: 1}, Deliveries: 1}
	}
	return entries
}

// bare makes a message of anything.
type bare struct{}

func (bare) Unmarshal(entry Entry) (*message.Message, error) {
	return message.NewMessage(entry.ID, nil), nil
}

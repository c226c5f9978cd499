package redisstream_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// BenchmarkConsume takes messages from a stream that is filled before, one in
// flight at a time.
func BenchmarkConsume(b *testing.B) {
	topic, client := newTopic(b), shared.Client(b)
	fill(b, newPublisher(b, client), topic, b.N)
	s, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: client, ConsumerGroup: "g"}, nil)
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	b.ReportAllocs()
	b.ResetTimer()
	out, err := s.Subscribe(context.Background(), topic)
	require.NoError(b, err)
	for range b.N {
		(<-out).Ack()
	}
}

// BenchmarkPublish publishes batches of a size; one operation is one message.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			p, topic := newPublisher(b, shared.Client(b)), newTopic(b)
			batch := make([]*message.Message, size)
			for i := range batch {
				batch[i] = message.NewMessage(watermill.NewUUID(), make([]byte, 128))
			}
			b.ReportAllocs()
			for sent := 0; sent < b.N; sent += size {
				require.NoError(b, p.Publish(topic, batch...))
			}
		})
	}
}

func fill(b *testing.B, p message.Publisher, topic string, n int) {
	b.Helper()
	batch := make([]*message.Message, 0, 1000)
	for i := range n {
		batch = append(batch, message.NewMessage(watermill.NewUUID(), make([]byte, 128)))
		if len(batch) == cap(batch) || i == n-1 {
			require.NoError(b, p.Publish(topic, batch...))
			batch = batch[:0]
		}
	}
}

// BenchmarkPoison takes 10,000 messages for each operation, without and with one
// among them that always fails and is given up after three deliveries.
func BenchmarkPoison(b *testing.B) {
	for _, inFlight := range []int{1, 8} {
		for _, poison := range []int{0, 1} {
			b.Run(fmt.Sprintf("inflight=%d/poison=%d", inFlight, poison), func(b *testing.B) {
				for range b.N {
					takeWithPoison(b, inFlight, poison)
				}
			})
		}
	}
}

func takeWithPoison(b *testing.B, inFlight, poison int) {
	b.Helper()
	const good = 10_000
	b.StopTimer()
	topic, client := newTopic(b), shared.Client(b)
	p := newPublisher(b, client)
	fill(b, p, topic, good/2)
	for range poison {
		require.NoError(b, p.Publish(topic, message.NewMessage("poison", nil)))
	}
	fill(b, p, topic, good/2)
	s, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: client, ConsumerGroup: "g", MaxInFlight: inFlight, MaxDeliveries: 3,
	}, nil)
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	b.StartTimer()
	out, err := s.Subscribe(context.Background(), topic)
	require.NoError(b, err)
	for acked := 0; acked < good; {
		if msg := <-out; msg.UUID == "poison" {
			msg.Nack()
		} else {
			msg.Ack()
			acked++
		}
	}
	b.StopTimer()
	require.NoError(b, s.Close())
	require.EqualValues(b, poison, shared.Do(b, "XLEN", "{"+topic+"}:dead:g"))
}

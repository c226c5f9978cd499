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

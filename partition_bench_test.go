package redisstream_test

import (
	"fmt"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// BenchmarkPublishPartitioned publishes batches of 100 messages with keys; one operation
// is one message.
func BenchmarkPublishPartitioned(b *testing.B) {
	const size = 100
	for _, n := range []int{0, 1, 8, 64} {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			p, topic := publisherWith(b, redisstream.PublisherConfig{
				Client: shared.Client(b), Partitions: func(string) int { return n }, PartitionKey: redisstream.KeyFromMetadata("key"),
			}), newTopic(b)
			batch := make([]*message.Message, size)
			for i := range batch {
				batch[i] = message.NewMessage(watermill.NewUUID(), make([]byte, 128))
				batch[i].Metadata.Set("key", fmt.Sprint("key-", i))
			}
			b.ReportAllocs()
			for sent := 0; sent < b.N; sent += size {
				require.NoError(b, p.Publish(topic, batch...))
			}
		})
	}
}

package servers

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
)

// fillBatch is how many entries a fill sends at once.
const fillBatch = 1000

// Add is the XADD that DefaultMarshaler makes of a message without metadata, with the same
// fields in the same order, and that the incumbent makes in some order.
func Add(client rueidis.CoreClient, stream string, msg *message.Message) rueidis.Completed {
	return client.B().Xadd().Key(stream).Id("*").FieldValue().
		FieldValue(redisstream.UUIDField, msg.UUID).
		FieldValue("metadata", "").
		FieldValue("payload", rueidis.BinaryString(msg.Payload)).
		Build()
}

// Fill adds n entries, the messages again and again, for contestants that read.
func (r *Redis) Fill(ctx context.Context, stream string, messages []*message.Message, n int) error {
	for added := 0; added < n; {
		batch := make(rueidis.Commands, min(fillBatch, n-added))
		for i := range batch {
			batch[i] = Add(r.client, stream, messages[(added+i)%len(messages)])
		}
		for _, reply := range r.client.DoMulti(ctx, batch...) {
			if err := reply.Error(); err != nil {
				return fmt.Errorf("fill %s: %w", stream, err)
			}
		}
		added += len(batch)
	}
	return nil
}

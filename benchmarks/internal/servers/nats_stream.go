package servers

import (
	"context"
	"errors"
	"fmt"

	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

// Create makes a stream for a topic. It is kept in memory, because Redis writes nothing to disk
// here either; the adapter itself would make one in files.
func (n *NATS) Create(ctx context.Context, topic string) error {
	_, err := n.js.AddStream(&nats.StreamConfig{
		Name:     topic,
		Subjects: []string{topic},
		Storage:  nats.MemoryStorage,
	}, nats.Context(ctx))
	return err
}

// Fill publishes the messages again and again, count in all, for contestants that read.
func (n *NATS) Fill(ctx context.Context, topic string, messages []*message.Message, count int) error {
	marshaler := &wmnats.NATSMarshaler{}
	for i := range count {
		msg, err := marshaler.Marshal(topic, messages[i%len(messages)])
		if err != nil {
			return err
		}
		if _, err := n.js.PublishMsgAsync(msg); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-n.js.PublishAsyncComplete():
	}
	info, err := n.js.StreamInfo(topic, nats.Context(ctx))
	if err != nil {
		return err
	}
	if info.State.Msgs != uint64(count) {
		return fmt.Errorf("fill %s: %d of %d messages arrived", topic, info.State.Msgs, count)
	}
	return nil
}

func (n *NATS) reset() error {
	var errs []error
	for name := range n.js.StreamNames() {
		errs = append(errs, n.js.DeleteStream(name))
	}
	return errors.Join(errs...)
}

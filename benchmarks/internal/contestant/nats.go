package contestant

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/nats-io/nats.go"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

// NATS is watermill-nats with JetStream: a durable consumer that acks without waiting for the
// server, and a stream in memory. It hands out one message at a time. Of the two packages of the
// adapter this is the one that is not beta, and the faster one by a little.
type NATS struct{}

var _ Library = NATS{}

// Open implements Library.
func (NATS) Open(ctx context.Context, f *bench.Fixture) (*Session, error) {
	if err := errors.Join(f.NATS.Create(ctx, f.Topic), f.NATS.Create(ctx, f.Output)); err != nil {
		return nil, err
	}
	stream := wmnats.JetStreamConfig{
		AckAsync:      true,
		DurablePrefix: f.Group,
		// Without ManualAck the client would try to ack a second time.
		SubscribeOptions: []nats.SubOpt{nats.DeliverAll(), nats.AckExplicit(), nats.ManualAck(), nats.ConsumerMemoryStorage()},
	}
	publisher, err := wmnats.NewPublisher(wmnats.PublisherConfig{URL: f.NATS.URL(), JetStream: stream}, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	subscriber, err := wmnats.NewSubscriber(wmnats.SubscriberConfig{URL: f.NATS.URL(), JetStream: stream}, watermill.NopLogger{})
	if err != nil {
		return nil, errors.Join(err, publisher.Close())
	}
	return &Session{
		Publisher:  publisher,
		Subscriber: subscriber,
		Consume: func(ctx context.Context, each func([]byte)) error {
			return drain(ctx, subscriber, f, each)
		},
		Close: func() error { return errors.Join(subscriber.Close(), publisher.Close()) },
	}, nil
}

// Fill implements Library.
func (NATS) Fill(ctx context.Context, f *bench.Fixture, _ *Session) error {
	return f.NATS.Fill(ctx, f.Topic, traffic.Messages(fillPool), f.Messages)
}

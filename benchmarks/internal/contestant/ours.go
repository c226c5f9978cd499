package contestant

import (
	"context"
	"errors"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

// Ours is redisstream. Publisher and subscriber share a client, as is meant.
type Ours struct {
	Options  Options
	InFlight int // 0 is the default, 1
}

var _ Library = Ours{}

// Open implements Library.
func (o Ours) Open(_ context.Context, f *bench.Fixture) (*Session, error) {
	client, err := rueidis.NewClient(o.Options(f.Redis.Addr()))
	if err != nil {
		return nil, err
	}
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, nil)
	if err != nil {
		client.Close()
		return nil, err
	}
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: client, ConsumerGroup: f.Group, MaxInFlight: o.InFlight, Start: redisstream.StartOldest(),
	}, nil)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &Session{
		Publisher:  publisher,
		Subscriber: subscriber,
		Consume: func(ctx context.Context, each func([]byte)) error {
			return drain(ctx, subscriber, f, each)
		},
		Close: func() error {
			defer client.Close()
			return errors.Join(subscriber.Close(), publisher.Close())
		},
	}, nil
}

// Fill implements Library.
func (Ours) Fill(ctx context.Context, f *bench.Fixture, _ *Session) error {
	return f.Redis.Fill(ctx, f.Topic, traffic.Messages(fillPool), f.Messages)
}

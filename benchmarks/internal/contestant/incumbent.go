package contestant

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill"
	incumbent "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/redis/go-redis/v9"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

// Incumbent is watermill-redisstream with its defaults. Publisher and subscriber have a client
// each, because each closes its own.
type Incumbent struct{}

var _ Library = Incumbent{}

// Open implements Library. The first entry is the default for groups; without one, it has to be
// asked for.
func (Incumbent) Open(_ context.Context, f *bench.Fixture) (*Session, error) {
	options := &redis.Options{Addr: f.Redis.Addr()}
	publishing, subscribing := redis.NewClient(options), redis.NewClient(options)
	publisher, errPublisher := incumbent.NewPublisher(incumbent.PublisherConfig{Client: publishing}, watermill.NopLogger{})
	subscriber, errSubscriber := incumbent.NewSubscriber(incumbent.SubscriberConfig{
		Client: subscribing, ConsumerGroup: f.Group, FanOutOldestId: "0",
	}, watermill.NopLogger{})
	if err := errors.Join(errPublisher, errSubscriber); err != nil {
		return nil, errors.Join(err, publishing.Close(), subscribing.Close())
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
func (Incumbent) Fill(ctx context.Context, f *bench.Fixture, _ *Session) error {
	return f.Redis.Fill(ctx, f.Topic, traffic.Messages(fillPool), f.Messages)
}

package contestant

import (
	"context"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

// GoChannel is Watermill's Pub/Sub in memory, the limit of what a router can do. It is
// persistent, so that there is a backlog. It has no limit of messages in flight.
type GoChannel struct{}

var _ Library = GoChannel{}

// Open implements Library.
func (GoChannel) Open(_ context.Context, f *bench.Fixture) (*Session, error) {
	channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	return &Session{
		Publisher:  channel,
		Subscriber: channel,
		Consume: func(ctx context.Context, each func([]byte)) error {
			return drain(ctx, channel, f, each)
		},
		Close: channel.Close,
	}, nil
}

// Fill implements Library.
func (GoChannel) Fill(_ context.Context, f *bench.Fixture, s *Session) error {
	messages := traffic.Messages(fillPool)
	for i := range f.Messages {
		if err := s.Publisher.Publish(f.Topic, messages[i%len(messages)]); err != nil {
			return err
		}
	}
	return nil
}

package contestant

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
)

// fillPool is how many different messages a backlog is made of.
const fillPool = 1000

var errEnded = errors.New("the subscription has ended")

// Session is a contestant in one round.
type Session struct {
	Publisher  message.Publisher
	Subscriber message.Subscriber // nil for those without Watermill
	// Consume subscribes to the topic and takes and acks the messages of the round. It may be
	// called by several goroutines. With a group, acks may still be on their way when it returns.
	Consume func(ctx context.Context, each func(payload []byte)) error
	// Close ends everything, also what a router has closed before.
	Close func() error
}

// drain is Consume for a Watermill subscriber. All of them close their channel when the context
// ends.
func drain(ctx context.Context, s message.Subscriber, f *bench.Fixture, each func(payload []byte)) error {
	messages, err := s.Subscribe(ctx, f.Topic)
	if err != nil {
		return err
	}
	for range f.Messages {
		msg, ok := <-messages
		if !ok {
			return errEnded
		}
		each(msg.Payload)
		msg.Ack()
	}
	return nil
}

package cases

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

func pipeline() bench.Case {
	return bench.Case{
		Name: "pipeline", Messages: 20_000,
		Metrics: speed(than(8, incumbent)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: onBacklog(oursManyInFlight(), pass)},
			{Name: oursOne, Run: onBacklog(ours(), pass)},
			{Name: incumbent, Share: 4, Run: onBacklog(contestant.Incumbent{}, pass)},
			{Name: nats, Share: 2, Run: onBacklog(contestant.NATS{}, pass)},
			{Name: gochannel, Run: onBacklog(contestant.GoChannel{}, pass)},
		},
	}
}

// pass measures from the start of a router until it has published a message for each that it got.
func pass(ctx context.Context, f *bench.Fixture, s *contestant.Session) ([]float64, error) {
	router, err := newRouter()
	if err != nil {
		return nil, err
	}
	publisher := countingPublisher{s.Publisher, newCountdown(f.Messages)}
	router.AddHandler("handler", f.Topic, s.Subscriber, f.Output, publisher, func(msg *message.Message) ([]*message.Message, error) {
		return []*message.Message{message.NewMessage(msg.UUID, msg.Payload)}, nil
	})
	return router.measure(ctx, f, publisher.published)
}

// countingPublisher counts what has been published.
type countingPublisher struct {
	message.Publisher

	published *countdown
}

// Publish implements message.Publisher.
func (p countingPublisher) Publish(topic string, messages ...*message.Message) error {
	if err := p.Publisher.Publish(topic, messages...); err != nil {
		return err
	}
	for range messages {
		p.published.one()
	}
	return nil
}

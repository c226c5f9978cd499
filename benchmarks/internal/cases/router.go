package cases

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

// consumeRouter gives all but the slowest the same backlog: GoChannel has a goroutine for each of
// its messages, and costs more per message the more there are.
func consumeRouter() bench.Case {
	return bench.Case{
		Name: "consume-router", Messages: 50_000,
		Metrics: speed(than(18, incumbent), than(1.5, nats), than(0.85, gochannel)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: onBacklog(ours(), handle)},
			{Name: incumbent, Share: 5, Run: onBacklog(contestant.Incumbent{}, handle)},
			{Name: nats, Run: onBacklog(contestant.NATS{}, handle)},
			{Name: gochannel, Run: onBacklog(contestant.GoChannel{}, handle)},
		},
	}
}

func consumeRouterMany() bench.Case {
	return bench.Case{
		Name: "consume-router-64", Messages: 50_000,
		Metrics: speed(than(18, incumbent), than(0.85, gochannel)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: onBacklog(oursManyInFlight(), handle)},
			{Name: incumbent, Share: 5, Run: onBacklog(contestant.Incumbent{}, handle)},
			{Name: gochannel, Run: onBacklog(contestant.GoChannel{}, handle)},
		},
	}
}

// handle measures from the start of a router until its handler has seen all messages.
func handle(ctx context.Context, f *bench.Fixture, s *contestant.Session) ([]float64, error) {
	router, err := newRouter()
	if err != nil {
		return nil, err
	}
	seen := newCountdown(f.Messages)
	router.AddConsumerHandler("handler", f.Topic, s.Subscriber, func(*message.Message) error {
		seen.one()
		return nil
	})
	return router.measure(ctx, f, seen)
}

package cases

import (
	"context"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

// consumeChannel takes messages from the channel that Subscribe returns.
func consumeChannel() bench.Case {
	return bench.Case{
		Name: "consume-channel", Messages: 200_000,
		Metrics: speed(than(16, incumbent), than(0.75, raw100, raw256, raw1000)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: onBacklog(ours(), consume)},
			{Name: incumbent, Share: 10, Run: onBacklog(contestant.Incumbent{}, consume)},
			{Name: raw100, Run: onBacklog(rawReader(100), consume)},
			{Name: raw256, Run: onBacklog(rawReader(256), consume)},
			{Name: raw1000, Run: onBacklog(rawReader(1000), consume)},
		},
	}
}

// consume measures from Subscribe until Redis has all acks.
func consume(ctx context.Context, f *bench.Fixture, s *contestant.Session) ([]float64, error) {
	start := f.Start()
	if err := s.Consume(ctx, ignore); err != nil {
		return nil, err
	}
	if err := f.Redis.AwaitSettled(ctx, f.Topic, f.Group); err != nil {
		return nil, err
	}
	return f.PerMessage(start), nil
}

package cases

import (
	"context"
	"runtime"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

// mostAllocations of ours: nine are rueidis' own for an entry of three fields.
const mostAllocations = 18

func allocations() bench.Case {
	return bench.Case{
		Name: "allocations", Messages: 100_000,
		Metrics: []bench.Metric{{Unit: "allocations/message", Targets: []bench.Target{{Value: mostAllocations}}}},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: onBacklog(ours(), allocate)},
			{Name: incumbent, Share: 10, Run: onBacklog(contestant.Incumbent{}, allocate)},
			{Name: raw, Run: onBacklog(rawReader(rawCount), allocate)},
		},
	}
}

// allocate counts what is allocated from Subscribe until Redis has all acks.
func allocate(ctx context.Context, f *bench.Fixture, s *contestant.Session) ([]float64, error) {
	f.Start()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := s.Consume(ctx, ignore); err != nil {
		return nil, err
	}
	if err := f.Redis.AwaitSettled(ctx, f.Topic, f.Group); err != nil {
		return nil, err
	}
	runtime.ReadMemStats(&after)
	return []float64{float64(after.Mallocs-before.Mallocs) / float64(f.Messages)}, nil
}

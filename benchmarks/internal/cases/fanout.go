package cases

import (
	"context"
	"errors"
	"sync"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

// followers is how many subscriptions get all messages of a topic.
const followers = 10

func fanOut() bench.Case {
	return bench.Case{
		Name: "fan-out-10", Messages: 20_000,
		Metrics: []bench.Metric{{Unit: "µs/delivery", Rate: true, Targets: []bench.Target{than(10, incumbent)}}},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: withoutGroup(onBacklog(ours(), follow))},
			{Name: incumbent, Share: 10, Run: withoutGroup(onBacklog(contestant.Incumbent{}, follow))},
			{Name: raw, Run: withoutGroup(onBacklog(rawReader(rawCount), follow))},
		},
	}
}

func withoutGroup(run runFunc) runFunc {
	return func(ctx context.Context, f *bench.Fixture) ([]float64, error) {
		f.Group = ""
		return run(ctx, f)
	}
}

// follow measures from the first Subscribe until every subscription has all messages.
func follow(ctx context.Context, f *bench.Fixture, s *contestant.Session) ([]float64, error) {
	var wg sync.WaitGroup
	errs := make([]error, followers)
	start := f.Start()
	for i := range followers {
		wg.Go(func() { errs[i] = s.Consume(ctx, ignore) })
	}
	wg.Wait()
	perMessage := f.PerMessage(start)
	return []float64{perMessage[0] / followers}, errors.Join(errs...)
}

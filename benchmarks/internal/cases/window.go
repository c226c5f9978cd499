package cases

import (
	"context"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

// shortest is the least that a window may last: the time between two sweeps.
const shortest = 1500 * time.Millisecond

// window is how long to look on while nothing happens. A run of fewer messages looks shorter.
func window(f *bench.Fixture, d time.Duration) time.Duration {
	return min(d, max(shortest, time.Duration(float64(d)*f.Scale)))
}

// members is how many subscriptions there are. A run of fewer messages has fewer.
func members(f *bench.Fixture, n int) int {
	const fewest = 20
	return min(n, max(fewest, int(float64(n)*f.Scale)))
}

// elapse waits for a time, unless the context ends before.
func elapse(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// activity is what Redis did in a window.
type activity struct {
	servers.Stats

	took time.Duration
	cpu  time.Duration // of the server's process
}

// observe looks on for a window. Some commands do not count.
func observe(ctx context.Context, f *bench.Fixture, d time.Duration, without ...string) (activity, error) {
	before, err := f.Redis.Stats(ctx)
	if err != nil {
		return activity{}, err
	}
	cpu, err := f.Redis.CPU(ctx)
	if err != nil {
		return activity{}, err
	}
	start := time.Now()
	if err := elapse(ctx, d); err != nil {
		return activity{}, err
	}
	a := activity{took: time.Since(start)}
	if a.cpu, err = f.Redis.CPU(ctx); err != nil {
		return activity{}, err
	}
	a.cpu -= cpu
	after, err := f.Redis.Stats(ctx)
	a.Stats = after.Since(before, without...)
	return a, err
}

// commands is how many there were per second.
func (a activity) commands() float64 { return float64(a.Total().Calls) / a.took.Seconds() }

// percent is the share of a core.
func (a activity) percent(cpu time.Duration) float64 { return 100 * cpu.Seconds() / a.took.Seconds() }

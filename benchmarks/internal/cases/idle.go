package cases

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

// oursSmall has connections that hold less.
const oursSmall = "ours, small connections"

func idle() bench.Case {
	return bench.Case{
		Name: "idle-200", Rounds: 1, Timeout: 2 * time.Minute,
		Metrics: []bench.Metric{
			{Name: "commands", Unit: "per second and subscription", Limits: []bench.Limit{{Cost: 1}}},
			{Name: "time of the process", Unit: "% of a core", Limits: []bench.Limit{{Cost: 1}}},
			{Name: "time of Redis", Unit: "% of a core"},
			{Name: "connections", Unit: "per subscription"},
			{Name: "memory", Unit: "KiB of heap per subscription"},
		},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: idleWith(contestant.Default)},
			{Name: oursSmall, Run: idleWith(contestant.Small)},
		},
	}
}

// idleWith measures what subscriptions cost that have nothing to do. Each has a topic of its own.
func idleWith(options contestant.Options) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		heap := heapInUse()
		idlers, err := contestant.NewIdlers(options(f.Redis.Addr()))
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, idlers.Close()) }()
		n := members(f, 200)
		for i := range n {
			if err := idlers.Subscribe(ctx, fmt.Sprintf("%s-%d", f.Topic, i), f.Group, ""); err != nil {
				return nil, err
			}
		}
		if err := elapse(ctx, window(f, 6*time.Second)); err != nil { // what the start asks for
			return nil, err
		}
		cpu, err := processCPU()
		if err != nil {
			return nil, err
		}
		seen, err := observe(ctx, f, window(f, minIdle)) // all that is regular comes at least once
		if err != nil {
			return nil, err
		}
		now, err := processCPU()
		if err != nil {
			return nil, err
		}
		f.Note("in %.1f s: %s", seen.took.Seconds(), seen.PerSecond(seen.took))
		heap = max(heapInUse()-heap, 0)
		f.Note("%d connections, %.1f MiB of heap, %d goroutines", seen.Connections, heap/(1<<20), runtime.NumGoroutine())
		each := float64(n)
		return []float64{
			seen.commands() / each,
			seen.percent(now - cpu),
			seen.percent(seen.cpu),
			float64(seen.Connections) / each,
			heap / 1024 / each,
		}, nil
	}
}

// heapInUse is what is left after a garbage collection, in bytes.
func heapInUse() float64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools kept
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapInuse)
}

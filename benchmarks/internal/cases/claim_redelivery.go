package cases

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
)

// claimRedelivery asks how long after MinIdle the entries of a dead consumer are handed out, while
// another has many more.
func claimRedelivery() bench.Case { return redelivery("claim-redelivery", 1000, muchHeld) }

// claimBacklog asks the same when the dead consumer had all.
func claimBacklog() bench.Case { return redelivery("claim-backlog", muchHeld, 0) }

func redelivery(name string, left, held int) bench.Case {
	return claimCase(bench.Case{
		Name: name, Messages: left,
		Metrics: []bench.Metric{
			{Name: "first", Unit: "ms after MinIdle"},
			{Name: "last", Unit: "ms after MinIdle"},
			{Name: "time of Redis", Unit: "µs of Redis/message"},
		},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: takeOver(sweeping, held)},
			{Name: rawClaim, Run: takeOver(claiming, held)},
		},
	})
}

// takeOver measures from the time on at which the entries have been idle for long enough. A short
// MinIdle changes nothing in how often ours sweeps.
func takeOver(by alive, held int) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		minIdle, held := window(f, 6*time.Second), min(held, int(float64(held)*f.Scale))
		keep, err := leave(ctx, f, minIdle, held)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, keep()) }()
		due := time.Now().Add(minIdle)
		if _, err := f.Redis.Take(ctx, f.Topic, f.Group, dead, f.Messages); err != nil {
			return nil, err
		}
		if err := elapse(ctx, rand.N(minIdle/6)); err != nil { // or sweeps would always come at the same time
			return nil, err
		}
		var once sync.Once
		var first time.Time
		seen := newCountdown(f.Messages)
		stop, err := by(ctx, f, minIdle, func([]byte) {
			once.Do(func() { first = time.Now() })
			seen.one()
		})
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stop()) }()
		if err := elapse(ctx, time.Until(due)); err != nil {
			return nil, err
		}
		last, cpu, err := over(ctx, f, seen, int64(held))
		return []float64{milliseconds(first.Sub(due)), milliseconds(last.Sub(due)), micros(cpu) / float64(f.Messages)}, err
	}
}

// leave has a consumer hold entries, and puts those behind it that another one is to leave.
func leave(ctx context.Context, f *bench.Fixture, minIdle time.Duration, held int) (keep func() error, err error) {
	if err := errors.Join(f.Redis.CreateGroup(ctx, f.Topic, f.Group), fill(ctx, f, held+f.Messages)); err != nil {
		return nil, err
	}
	ids, err := f.Redis.Take(ctx, f.Topic, f.Group, other, held)
	if err != nil || held == 0 {
		return func() error { return nil }, err
	}
	return young(ctx, f, ids, minIdle), nil
}

// over waits until all is handed out and acked, and says what that takes of Redis from now on.
func over(ctx context.Context, f *bench.Fixture, seen *countdown, pending int64) (last time.Time, cpu time.Duration, err error) {
	start := time.Now()
	before, err := f.Redis.Stats(ctx)
	if err != nil {
		return last, 0, err
	}
	begin, err := f.Redis.CPU(ctx)
	if err != nil {
		return last, 0, err
	}
	if err := seen.await(ctx); err != nil {
		return last, 0, err
	}
	last = time.Now()
	if err := f.Redis.AwaitPending(ctx, f.Topic, f.Group, pending); err != nil {
		return last, 0, err
	}
	end, err := f.Redis.CPU(ctx)
	if err != nil {
		return last, 0, err
	}
	after, err := f.Redis.Stats(ctx)
	f.Note("in %.2f s: %s", last.Sub(start).Seconds(), after.Since(before).PerSecond(last.Sub(start)))
	return last, end - begin, err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

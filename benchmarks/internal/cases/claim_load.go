package cases

import (
	"context"
	"errors"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
)

// claimLoad asks what it costs each message that reads CLAIM: while another consumer, who is alive,
// has many entries, and while a dead one had entries that have been trimmed since.
func claimLoad() bench.Case {
	return claimCase(bench.Case{
		Name: "claim-load", Messages: 100_000,
		Metrics: []bench.Metric{
			{Name: "time", Unit: "µs/message", Rate: true},
			{Name: "time of Redis", Unit: "µs of Redis/message"},
		},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: loaded(sweeping, minIdle, muchYoung)},
			{Name: raw256, Run: loaded(claiming, 0, muchYoung)},
			{Name: rawClaim, Run: loaded(claiming, minIdle, muchYoung)},
			{Name: "ours, others have much that is trimmed", Run: loaded(sweeping, window0, muchTrimmed)},
			{Name: "raw, CLAIM, others have much that is trimmed", Share: 10, Run: loaded(claiming, window0, muchTrimmed)},
		},
	})
}

// window0 is the shortest MinIdle.
const window0 = time.Second

// loaded measures a backlog, and what it takes of Redis.
func loaded(by alive, minIdle time.Duration, prepare func(ctx context.Context, f *bench.Fixture) error) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		if err := errors.Join(f.Redis.CreateGroup(ctx, f.Topic, f.Group), prepare(ctx, f), fill(ctx, f, f.Messages)); err != nil {
			return nil, err
		}
		cpu, err := f.Redis.CPU(ctx)
		if err != nil {
			return nil, err
		}
		seen := newCountdown(f.Messages)
		start := f.Start()
		stop, err := by(ctx, f, minIdle, func([]byte) { seen.one() })
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stop()) }()
		if err := seen.await(ctx); err != nil {
			return nil, err
		}
		values = f.PerMessage(start)
		now, err := f.Redis.CPU(ctx)
		return append(values, micros(now-cpu)/float64(f.Messages)), err
	}
}

// muchYoung leaves much to another consumer, who counts as alive for far longer than this takes.
func muchYoung(ctx context.Context, f *bench.Fixture) error {
	n := int(min(f.Scale, 1) * muchHeld)
	if err := fill(ctx, f, n); err != nil {
		return err
	}
	_, err := f.Redis.Take(ctx, f.Topic, f.Group, other, n)
	return err
}

// muchTrimmed leaves as much to a dead one, trims it, and waits until it is idle.
func muchTrimmed(ctx context.Context, f *bench.Fixture) error {
	if err := errors.Join(muchYoung(ctx, f), f.Redis.Trim(ctx, f.Topic)); err != nil {
		return err
	}
	return elapse(ctx, window0)
}

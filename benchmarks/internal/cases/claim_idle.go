package cases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

// claimIdle asks what members that have nothing to do ask of Redis while another consumer, who is
// alive, has many entries.
func claimIdle(members int) bench.Case {
	return claimCase(bench.Case{
		Name: fmt.Sprintf("claim-idle-%d", members), Messages: muchHeld, Rounds: 2, Timeout: 2 * time.Minute,
		Metrics: []bench.Metric{
			{Name: "time of commands", Unit: "µs of Redis/s"},
			{Name: "time of Redis", Unit: "µs of Redis/s"},
			{Name: "commands", Unit: "per second"},
		},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: idleBeside(sweepers(members), minIdle)},
			{Name: rawClaim, Run: idleBeside(claimers(members), 2*time.Second)},
		},
	})
}

// sweepers are idle subscriptions of ours that share a client.
func sweepers(n int) alive {
	return func(ctx context.Context, f *bench.Fixture, _ time.Duration, _ func([]byte)) (func() error, error) {
		idlers, err := contestant.NewIdlers(contestant.Recommended(f.Redis.Addr()))
		if err != nil {
			return nil, err
		}
		for range n {
			if err := idlers.Subscribe(ctx, f.Topic, f.Group, ""); err != nil {
				return nil, errors.Join(err, idlers.Close())
			}
		}
		return idlers.Close, nil
	}
}

// idleBeside looks on when the members have an age. The time of Redis is without what it takes
// before they come.
func idleBeside(members alive, age time.Duration) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		held, err := holdMany(ctx, f)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, held.release()) }()
		base, err := observe(ctx, f, window(f, 3*time.Second), servers.ShowAliveCommand)
		if err != nil {
			return nil, err
		}
		stop, err := members(ctx, f, minIdle, ignore)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stop()) }()
		if err := held.grow(ctx, age); err != nil {
			return nil, err
		}
		seen, err := observe(ctx, f, window(f, 15*time.Second), servers.ShowAliveCommand)
		if err != nil {
			return nil, err
		}
		f.Note("in %.1f s: %s", seen.took.Seconds(), seen.PerSecond(seen.took))
		if err := f.Redis.AwaitPending(ctx, f.Topic, f.Group, int64(f.Messages)); err != nil {
			return nil, err
		}
		second := func(a activity, d time.Duration) float64 { return micros(d) / a.took.Seconds() }
		without := max(second(seen, seen.cpu)-second(base, base.cpu), 1) // the server's own ticks are not even
		return []float64{second(seen, seen.Total().Time), without, seen.commands()}, nil
	}
}

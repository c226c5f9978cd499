package cases

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

const (
	// other is a consumer that has entries, and is none of ours.
	other = "other"
	// showInterval is how often it looks alive.
	showInterval = 2 * time.Second
	// minIdle is the default of ours. When subscriptions are as old, all step through what is
	// pending; none begins before it is half as old.
	minIdle = 30 * time.Second

	oursYoung = "ours, before they look through it"
)

// coordination has a limit of a hundredth of a core.
func coordination() bench.Case {
	limit := []bench.Limit{{Cost: 1}}
	return bench.Case{
		Name: "coordination", Messages: 100_000, Rounds: 1, Timeout: 2 * time.Minute,
		Metrics: []bench.Metric{
			{Name: "time of commands", Unit: "% of a core", Limits: limit},
			{Name: "time of Redis", Unit: "% of a core"},
			{Name: "time of Redis without them", Unit: "% of a core"},
			{Name: "commands", Unit: "per second"},
		},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: coordinateAfter(minIdle, 20*time.Second)},
			{Name: oursYoung, Run: coordinateAfter(2*time.Second, 10*time.Second)},
		},
	}
}

// coordinateAfter measures what 50 idle subscriptions of an age ask of Redis while another
// consumer, who is alive, has many entries. They have names, and so leases too.
func coordinateAfter(age, look time.Duration) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		held, err := holdMany(ctx, f)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, held.release()) }()
		base, err := observe(ctx, f, window(f, 5*time.Second), servers.ShowAliveCommand)
		if err != nil {
			return nil, err
		}
		idlers, err := gather(ctx, f)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, idlers.Close()) }()
		if err := held.grow(ctx, age); err != nil {
			return nil, err
		}
		seen, err := observe(ctx, f, window(f, look), servers.ShowAliveCommand)
		if err != nil {
			return nil, err
		}
		f.Note("in %.1f s: %s", seen.took.Seconds(), seen.PerSecond(seen.took))
		if err := f.Redis.AwaitPending(ctx, f.Topic, f.Group, int64(f.Messages)); err != nil {
			return nil, err
		}
		return []float64{seen.percent(seen.Total().Time), seen.percent(seen.cpu), base.percent(base.cpu), seen.commands()}, nil
	}
}

// gather makes the subscriptions.
func gather(ctx context.Context, f *bench.Fixture) (*contestant.Idlers, error) {
	idlers, err := contestant.NewIdlers(contestant.Recommended(f.Redis.Addr()))
	if err != nil {
		return nil, err
	}
	for i := range members(f, 50) {
		if err := idlers.Subscribe(ctx, f.Topic, f.Group, fmt.Sprintf("member-%d", i)); err != nil {
			return nil, errors.Join(err, idlers.Close())
		}
	}
	return idlers, nil
}

// holding is a consumer that is alive and has entries.
type holding struct {
	fixture *bench.Fixture
	ids     []string
	stop    context.CancelFunc
	alive   sync.WaitGroup
	err     error // valid after alive
}

func holdMany(ctx context.Context, f *bench.Fixture) (*holding, error) {
	if err := errors.Join(
		f.Redis.CreateGroup(ctx, f.Topic, f.Group),
		fill(ctx, f, f.Messages),
	); err != nil {
		return nil, err
	}
	ids, err := f.Redis.Take(ctx, f.Topic, f.Group, other, f.Messages)
	if err != nil {
		return nil, err
	}
	h := &holding{fixture: f, ids: ids}
	ctx, h.stop = context.WithCancel(ctx)
	h.alive.Go(func() { h.err = h.live(ctx) })
	return h, nil
}

func (h *holding) live(ctx context.Context) error {
	tick := time.NewTicker(showInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := h.fixture.Redis.ShowAlive(ctx, h.fixture.Topic, h.fixture.Group, other); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// grow waits, and renews all entries: what is not renewed for MinIdle goes to others.
func (h *holding) grow(ctx context.Context, age time.Duration) error {
	for ; age > 0; age -= minIdle / 3 {
		if err := errors.Join(h.renew(ctx), elapse(ctx, window(h.fixture, min(age, minIdle/3)))); err != nil {
			return err
		}
	}
	return h.renew(ctx)
}

func (h *holding) renew(ctx context.Context) error {
	return h.fixture.Redis.Hold(ctx, h.fixture.Topic, h.fixture.Group, other, h.ids)
}

func (h *holding) release() error {
	h.stop()
	h.alive.Wait()
	return h.err
}

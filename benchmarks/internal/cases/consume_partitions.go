package cases

import (
	"context"
	"errors"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

// consumePartitions asks what it costs that each partition is handled in order.
func consumePartitions() bench.Case {
	return bench.Case{
		Name: "consume-partitions", Messages: 160_000,
		Metrics: []bench.Metric{
			{Name: "time", Unit: "µs/message", Rate: true, Limits: []bench.Limit{{Ratio: 1 / 0.9}}},
			{Name: "time of Redis", Unit: "µs of Redis/message"},
		},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: consumeDivided(0)},
			{Name: "ours, 8 partitions", Run: consumeDivided(8)},
		},
	}
}

// consumeDivided has four members consume a backlog that is spread over so many partitions; with 0,
// the topic has none.
func consumeDivided(partitions int) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		c := newCrew(f, contestant.Recommended, partitions)
		if err := f.Redis.FillPartitions(ctx, c.Partitions, traffic.Messages(1000), f.Messages); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		for range 4 {
			if err := c.join(ctx); err != nil {
				return nil, err
			}
		}
		if err := c.awaitFirst(ctx); err != nil {
			return nil, err
		}
		cpu, err := f.Redis.CPU(ctx)
		if err != nil {
			return nil, err
		}
		values, err = c.consume(ctx)
		if err != nil {
			return nil, err
		}
		now, err := f.Redis.CPU(ctx)
		return append(values, float64((now-cpu).Nanoseconds())/1e3/float64(f.Messages)), err
	}
}

// awaitFirst waits until all members have even shares, and the first messages of them at hand.
func (c *crew) awaitFirst(ctx context.Context) error {
	holders := len(c.members) // all have some of the one stream
	if c.divided {
		if err := c.settle(ctx, len(c.members)); err != nil {
			return err
		}
		holders = 1
	}
	for _, stream := range c.Streams() {
		if err := poll(ctx, func() (bool, error) { return c.fixture.Redis.HasHolders(ctx, stream, c.Group, holders) }); err != nil {
			return err
		}
	}
	return nil
}

// consume measures until Redis has all acks. Nobody has taken a message before.
func (c *crew) consume(ctx context.Context) ([]float64, error) {
	f := c.fixture
	seen := newCountdown(f.Messages)
	start := f.Start()
	for _, messages := range c.channels {
		c.handlers.Go(func() {
			for msg := range messages {
				seen.one()
				msg.Ack()
			}
		})
	}
	select {
	case <-seen.zero:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for _, stream := range c.Streams() {
		if err := f.Redis.AwaitSettled(ctx, stream, f.Group); err != nil {
			return nil, err
		}
	}
	values := f.PerMessage(start)
	if seen.left.Load() < 0 {
		return nil, errAgain
	}
	return values, nil
}

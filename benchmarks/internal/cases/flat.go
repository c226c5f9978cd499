package cases

import (
	"context"
	"errors"
	"fmt"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

const (
	oursLong    = "ours, in a long stream"
	oursPending = "ours, others have much"
	oursCrowd   = "ours, 50 other consumers"
)

// consumeFlat asks whether it matters what else is in the stream and in the group.
func consumeFlat() bench.Case {
	return bench.Case{
		Name: "consume-flat", Messages: 100_000,
		Metrics: []bench.Metric{{Unit: "µs/message", Rate: true, Limits: []bench.Limit{{Ratio: 1 / 0.85}}}},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: consumeBeside(nothing)},
			{Name: oursLong, Run: consumeBeside(longStream)},
			{Name: oursPending, Run: consumeBeside(muchPending)},
			{Name: oursCrowd, Run: consumeBeside(crowd)},
		},
	}
}

// consumeBeside measures a backlog as consume does. What prepare leaves pending stays so.
func consumeBeside(prepare func(ctx context.Context, f *bench.Fixture) (pending int64, err error)) runFunc {
	library := ours()
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		session, err := library.Open(ctx, f)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
		pending, err := prepare(ctx, f)
		if err != nil {
			return nil, err
		}
		if err := library.Fill(ctx, f, session); err != nil {
			return nil, err
		}
		start := f.Start()
		if err := session.Consume(ctx, ignore); err != nil {
			return nil, err
		}
		if err := f.Redis.AwaitPending(ctx, f.Topic, f.Group, pending); err != nil {
			return nil, err
		}
		return f.PerMessage(start), nil
	}
}

func nothing(ctx context.Context, f *bench.Fixture) (int64, error) {
	return 0, f.Redis.CreateGroup(ctx, f.Topic, f.Group)
}

// longStream has nine times the backlog in front of where the group starts.
func longStream(ctx context.Context, f *bench.Fixture) (int64, error) {
	return 0, errors.Join(fill(ctx, f, 9*f.Messages), f.Redis.CreateGroup(ctx, f.Topic, f.Group))
}

// muchPending leaves as much as the backlog to another consumer. Its read makes it count as alive
// for MinIdle, which is far longer than the measurement.
func muchPending(ctx context.Context, f *bench.Fixture) (int64, error) {
	if err := errors.Join(f.Redis.CreateGroup(ctx, f.Topic, f.Group), fill(ctx, f, f.Messages)); err != nil {
		return 0, err
	}
	_, err := f.Redis.Take(ctx, f.Topic, f.Group, other, f.Messages)
	return int64(f.Messages), err
}

// crowd is other consumers that have read one message each, just now, and so count as alive. They
// are no subscriptions: those would take a part of the backlog, at least to have it at hand.
func crowd(ctx context.Context, f *bench.Fixture) (int64, error) {
	const consumers = 50
	if err := errors.Join(f.Redis.CreateGroup(ctx, f.Topic, f.Group), fill(ctx, f, consumers)); err != nil {
		return 0, err
	}
	for i := range consumers {
		if _, err := f.Redis.Take(ctx, f.Topic, f.Group, fmt.Sprintf("%s-%d", other, i), 1); err != nil {
			return 0, err
		}
	}
	return consumers, nil
}

func fill(ctx context.Context, f *bench.Fixture, n int) error {
	return f.Redis.Fill(ctx, f.Topic, traffic.Messages(min(n, 1000)), n)
}

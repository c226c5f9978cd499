package cases

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

func serverCPU() bench.Case {
	return bench.Case{
		Name: "server-cpu", Messages: 100_000,
		Metrics: []bench.Metric{{Unit: "µs of Redis/message", Targets: []bench.Target{than(8, incumbent)}}},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: cpuOf(ours())},
			{Name: incumbent, Share: 10, Run: cpuOf(contestant.Incumbent{})},
			{Name: raw, Run: cpuOf(rawReader(rawCount))},
		},
	}
}

// cpuOf measures how long Redis computes for the whole life of a message: published in a batch,
// read in a group, acked.
func cpuOf(library contestant.Library) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		session, err := library.Open(ctx, f)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
		before, err := f.Redis.CPU(ctx)
		if err != nil {
			return nil, err
		}
		if err := live(ctx, f, session); err != nil {
			return nil, err
		}
		after, err := f.Redis.CPU(ctx)
		if err != nil {
			return nil, err
		}
		return []float64{float64((after - before).Nanoseconds()) / 1e3 / float64(f.Messages)}, nil
	}
}

func live(ctx context.Context, f *bench.Fixture, s *contestant.Session) error {
	run := publishing{goroutines: 1, batch: batchSize}
	messages := [][]*message.Message{traffic.Messages(10 * batchSize)}
	if err := run.publish(ctx, s.Publisher, f.Topic, messages, f.Messages); err != nil {
		return err
	}
	if err := s.Consume(ctx, ignore); err != nil {
		return err
	}
	return f.Redis.AwaitSettled(ctx, f.Topic, f.Group)
}

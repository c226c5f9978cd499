package cases

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

const (
	bigSize  = 1_000_000
	hugeSize = 1_100_000 // more than 1 MiB
	// bigPool is how many different messages there are; they share their payload.
	bigPool = 8

	raw1 = "raw, COUNT 1"
	raw8 = "raw, COUNT 8"
)

func publishBig() bench.Case {
	return bench.Case{
		Name: "big-messages-publish", Messages: 300,
		Metrics: speed(than(0.8, raw)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: publishBigOf(ours())},
			{Name: raw, Run: publishBigOf(rawReader(1))},
		},
	}
}

func consumeBig() bench.Case {
	return bench.Case{
		Name: "big-messages-consume", Messages: 300,
		Metrics: speed(than(0.8, raw1, raw8)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: onBacklog(big{ours(), bigSize}, consume)},
			{Name: raw1, Run: onBacklog(big{rawReader(1), bigSize}, consume)},
			{Name: raw8, Run: onBacklog(big{rawReader(8), bigSize}, consume)},
		},
	}
}

// big fills topics with big messages.
type big struct {
	contestant.Library

	size int
}

// Fill implements contestant.Library.
func (b big) Fill(ctx context.Context, f *bench.Fixture, _ *contestant.Session) error {
	return f.Redis.Fill(ctx, f.Topic, traffic.Sized(bigPool, b.size), f.Messages)
}

// publishBigOf measures calls of Publish with one message each, from one goroutine.
func publishBigOf(library contestant.Library) runFunc {
	run := publishing{goroutines: 1, batch: 1}
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		session, err := library.Open(ctx, f)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
		messages := [][]*message.Message{traffic.Sized(bigPool, bigSize)}
		if err := run.publish(ctx, session.Publisher, f.Output, messages, bigPool); err != nil {
			return nil, err
		}
		start := f.Start()
		if err := run.publish(ctx, session.Publisher, f.Topic, messages, f.Messages); err != nil {
			return nil, err
		}
		values = f.PerMessage(start)
		return values, published(ctx, f)
	}
}

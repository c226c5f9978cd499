package cases

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

const (
	batchSize  = 100
	goroutines = 64
	// warmUp is how many calls each goroutine makes before. A client dials its connections with the
	// first commands, and rueidis spreads commands over several of them by chance.
	warmUp = 16
)

func publishBatches() bench.Case {
	run := publishing{goroutines: 1, batch: batchSize}
	return bench.Case{
		Name: "publish-batch-100", Messages: 200_000,
		Metrics: speed(than(8, incumbent), than(0.85, raw)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: run.of(ours())},
			{Name: incumbent, Share: 10, Run: run.of(contestant.Incumbent{})},
			{Name: raw, Run: run.of(contestant.Raw{Options: contestant.Recommended})},
		},
	}
}

func publishConcurrently() bench.Case {
	run := publishing{goroutines: goroutines, batch: 1}
	return bench.Case{
		Name: "publish-64-goroutines", Messages: 100_000, Parts: 2,
		Metrics: speed(than(4, incumbent), than(0.85, raw, rawSingle, rawDelayed)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: run.of(ours())},
			{Name: incumbent, Share: 2, Run: run.of(contestant.Incumbent{})},
			{Name: raw, Run: run.of(contestant.Raw{Options: contestant.Recommended})},
			{Name: rawSingle, Run: run.of(contestant.Raw{Options: contestant.Single})},
			{Name: rawDelayed, Run: run.of(contestant.Raw{Options: contestant.Delayed})},
		},
	}
}

func publishConcurrentlyDefault() bench.Case {
	run := publishing{goroutines: goroutines, batch: 1}
	return bench.Case{
		Name: "publish-64-goroutines-default-options", Messages: 100_000, Parts: 2,
		Metrics: speed(than(2.5, incumbent)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: run.of(contestant.Ours{Options: contestant.Default})},
			{Name: incumbent, Share: 2, Run: run.of(contestant.Incumbent{})},
			{Name: rawDefault, Run: run.of(contestant.Raw{Options: contestant.Default})},
		},
	}
}

func publishOneAtATime() bench.Case {
	run := publishing{goroutines: 1, batch: 1}
	return bench.Case{
		Name: "publish-one-at-a-time", Messages: 20_000, Parts: 20,
		Metrics: speed(than(1, incumbent), than(0.9, raw)),
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: run.of(ours())},
			{Name: incumbent, Run: run.of(contestant.Incumbent{})},
			{Name: raw, Run: run.of(contestant.Raw{Options: contestant.Recommended})},
		},
	}
}

// publishing publishes from some goroutines in calls of a size.
type publishing struct{ goroutines, batch int }

func (p publishing) of(library contestant.Library) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		session, err := library.Open(ctx, f)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
		messages := p.messages()
		if err := p.publish(ctx, session.Publisher, f.Output, messages, p.goroutines*p.batch*warmUp); err != nil {
			return nil, err
		}
		start := f.Start()
		if err := p.publish(ctx, session.Publisher, f.Topic, messages, f.Messages); err != nil {
			return nil, err
		}
		values = f.PerMessage(start)
		return values, published(ctx, f)
	}
}

// messages are those of each goroutine.
func (p publishing) messages() [][]*message.Message {
	const each = 1000
	messages := make([][]*message.Message, p.goroutines)
	for i := range messages {
		messages[i] = traffic.Messages(max(each/p.goroutines, p.batch))
	}
	return messages
}

func (p publishing) publish(ctx context.Context, to message.Publisher, topic string, messages [][]*message.Message, n int) error {
	var wg sync.WaitGroup
	errs := make([]error, p.goroutines)
	for i := range p.goroutines {
		share := n / p.goroutines
		if i < n%p.goroutines {
			share++
		}
		wg.Go(func() { errs[i] = p.repeat(ctx, to, topic, messages[i], share) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// repeat publishes the messages again and again.
func (p publishing) repeat(ctx context.Context, to message.Publisher, topic string, messages []*message.Message, n int) error {
	for at := 0; n > 0; at = (at + p.batch) % len(messages) {
		batch := messages[at:min(at+p.batch, at+n, len(messages))]
		if err := errors.Join(ctx.Err(), to.Publish(topic, batch...)); err != nil {
			return err
		}
		n -= len(batch)
	}
	return nil
}

// published fails if Redis does not have the messages of the round.
func published(ctx context.Context, f *bench.Fixture) error {
	length, err := f.Redis.Length(ctx, f.Topic)
	if err == nil && length != int64(f.Messages) {
		err = fmt.Errorf("%d of %d messages are in the stream", length, f.Messages)
	}
	return err
}

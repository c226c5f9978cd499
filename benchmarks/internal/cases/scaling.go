package cases

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

var errAgain = errors.New("a message came twice")

// scaling asks whether members of a group hinder each other. They share a process and a client, and
// all of them the cores.
func scaling() bench.Case {
	contestants := []bench.Contestant{{Name: bench.Ours, Run: onBacklog(ours(), shareAmong(1))}}
	for _, n := range []int{2, 4, 8} {
		contestants = append(contestants, bench.Contestant{
			Name: fmt.Sprintf("ours, %d consumers", n), Run: onBacklog(ours(), shareAmong(n)),
		})
	}
	return bench.Case{
		Name: "consume-scaling", Messages: 100_000,
		Metrics:     []bench.Metric{{Unit: "µs/message", Rate: true, Limits: []bench.Limit{{Ratio: 1 / 0.9}}}},
		Contestants: contestants,
	}
}

// shareAmong measures from the first Subscribe until Redis has all acks of all consumers.
func shareAmong(n int) func(context.Context, *bench.Fixture, *contestant.Session) ([]float64, error) {
	return func(ctx context.Context, f *bench.Fixture, s *contestant.Session) (values []float64, err error) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		errs := make([]error, n)
		defer func() { // the subscriptions end after the measurement
			cancel()
			wg.Wait()
			err = errors.Join(err, errors.Join(errs...))
		}()
		seen := newCountdown(f.Messages)
		start := f.Start()
		for i := range n {
			wg.Go(func() {
				if errs[i] = share(ctx, f, s.Subscriber, seen); errs[i] != nil {
					cancel()
				}
			})
		}
		select {
		case <-seen.zero:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := f.Redis.AwaitSettled(ctx, f.Topic, f.Group); err != nil {
			return nil, err
		}
		return f.PerMessage(start), nil
	}
}

// share takes messages until ctx ends.
func share(ctx context.Context, f *bench.Fixture, from message.Subscriber, seen *countdown) error {
	messages, err := from.Subscribe(ctx, f.Topic)
	if err != nil {
		return err
	}
	for msg := range messages {
		seen.one()
		msg.Ack()
	}
	if seen.left.Load() < 0 {
		return errAgain
	}
	return nil
}

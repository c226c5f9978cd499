package cases

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

// What it would be worth to have reads CLAIM what others have left.

const (
	rawClaim = "raw, CLAIM"
	// dead is a consumer that has read entries and says nothing more.
	dead = "dead"
	// muchHeld is how many entries the others have.
	muchHeld = 50_000
	// blockTime is how long reads of ours wait for news.
	blockTime = 5 * time.Second
)

// alive is a consumer that takes over what the dead one has. It calls each for what it gets, until
// stop.
type alive func(ctx context.Context, f *bench.Fixture, minIdle time.Duration, each func([]byte)) (stop func() error, err error)

// sweeping is a subscription of ours.
func sweeping(ctx context.Context, f *bench.Fixture, minIdle time.Duration, each func([]byte)) (func() error, error) {
	client, err := rueidis.NewClient(contestant.Recommended(f.Redis.Addr()))
	if err != nil {
		return nil, err
	}
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: client, ConsumerGroup: f.Group, MinIdle: minIdle, MaxInFlight: manyFlights,
	}, nil)
	if err != nil {
		client.Close()
		return nil, err
	}
	messages, err := subscriber.Subscribe(ctx, f.Topic)
	if err != nil {
		client.Close()
		return nil, err
	}
	var handler sync.WaitGroup
	handler.Go(func() {
		for msg := range messages {
			each(msg.Payload)
			msg.Ack()
		}
	})
	return func() error {
		defer client.Close()
		defer handler.Wait()
		return subscriber.Close()
	}, nil
}

// claiming is a consumer whose reads CLAIM.
func claiming(ctx context.Context, f *bench.Fixture, minIdle time.Duration, each func([]byte)) (func() error, error) {
	return claimers(1)(ctx, f, minIdle, each)
}

// claimers are several of them.
func claimers(n int) alive {
	return func(ctx context.Context, f *bench.Fixture, minIdle time.Duration, each func([]byte)) (func() error, error) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		opened, errs := make([]*contestant.Claimer, 0, n), make([]error, n)
		stop := func() error {
			cancel()
			for _, c := range opened {
				c.Close()
			}
			running.Wait()
			return errors.Join(errs...)
		}
		for i := range n {
			c := &contestant.Claimer{Name: fmt.Sprintf("claimer-%d", i), Count: rawCount, MinIdle: minIdle, Block: blockTime}
			if err := c.Open(f); err != nil {
				return nil, errors.Join(err, stop())
			}
			opened = append(opened, c)
			running.Go(func() { errs[i] = c.Run(ctx, each) })
		}
		return stop, nil
	}
}

// young keeps what a consumer has young, as its heartbeat would, until stop.
func young(ctx context.Context, f *bench.Fixture, ids []string, minIdle time.Duration) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var beating sync.WaitGroup
	var failed error
	beating.Go(func() {
		for elapse(ctx, minIdle/3) == nil {
			err := errors.Join(
				f.Redis.Hold(ctx, f.Topic, f.Group, other, ids),
				f.Redis.ShowAlive(ctx, f.Topic, f.Group, other),
			)
			if err != nil && ctx.Err() == nil {
				failed = err
				return
			}
		}
	})
	return func() error {
		cancel()
		beating.Wait()
		return failed
	}
}

// claimCase has what all of these cases have in common.
func claimCase(c bench.Case) bench.Case {
	c.Refused, c.Aside = servers.RefusesClaim, true
	return c
}

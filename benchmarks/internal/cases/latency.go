package cases

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

// publishInterval is the pace of the publisher: 1,000 messages a second.
const publishInterval = time.Millisecond

func latency() bench.Case {
	// 0.67 is one and a half times as long.
	targets := []bench.Target{than(1, incumbent), than(0.67, raw)}
	return bench.Case{
		Name: "latency", Messages: 3000, Parts: 3,
		Metrics: []bench.Metric{{Name: "p50", Unit: "µs", Targets: targets}, {Name: "p99", Unit: "µs", Targets: targets}},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: latencyOf(ours())},
			{Name: incumbent, Run: latencyOf(contestant.Incumbent{})},
			{Name: raw, Run: latencyOf(rawReader(100))},
		},
	}
}

// latencyOf measures from the call of Publish until a subscriber, who is not busy, has the
// message.
func latencyOf(library contestant.Library) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		session, err := library.Open(ctx, f)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		epoch := f.Start()
		published := make(chan error, 1) // the subscriber may end first
		go func() {
			err := publishSteadily(ctx, f, session.Publisher, epoch)
			if err != nil {
				cancel() // the subscriber would wait for what never comes
			}
			published <- err
		}()
		var took []time.Duration
		errConsume := session.Consume(ctx, func(payload []byte) {
			took = append(took, time.Since(epoch)-stampOf(payload))
		})
		if errConsume != nil {
			cancel()
		}
		if err := errors.Join(errConsume, <-published); err != nil {
			return nil, err
		}
		return percentiles(took), nil
	}
}

// publishSteadily stamps each payload with the time since epoch.
func publishSteadily(ctx context.Context, f *bench.Fixture, to message.Publisher, epoch time.Time) error {
	messages := traffic.Messages(f.Messages)
	tick := time.NewTicker(publishInterval)
	defer tick.Stop()
	for _, msg := range messages {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		binary.BigEndian.PutUint64(msg.Payload, uint64(time.Since(epoch)))
		if err := to.Publish(f.Topic, msg); err != nil {
			return err
		}
	}
	return nil
}

func stampOf(payload []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint64(payload))
}

// percentiles are the 50th and the 99th, in microseconds. The first tenth is the start of the
// connections, and left out.
func percentiles(took []time.Duration) []float64 {
	steady := slices.Sorted(slices.Values(took[len(took)/10:]))
	at := func(percent int) float64 {
		return float64(steady[(len(steady)-1)*percent/100].Nanoseconds()) / 1e3
	}
	return []float64{at(50), at(99)}
}

package cases

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// looks is how often each look is taken.
const looks = 100

// claimLook asks what one look for entries to take over costs Redis where there are none, and much is
// pending. Ours is a sweep that nothing follows; what may follow it comes every fifth of a second of
// MinIdle, or more seldom. It asks for the time of the commands alone, as the server measures it.
func claimLook() bench.Case {
	contestants := []bench.Contestant{
		{Name: bench.Ours, Run: lookAs(sweepAlone)},
		{Name: "ours, at the consumers", Run: lookAs(lookAtConsumers)},
		{Name: "ours, a page of all", Run: lookAs(lookAtPage)},
		{Name: "XREADGROUP, CLAIM", Run: lookAs(readClaim)},
		{Name: "XAUTOCLAIM, COUNT 100", Run: lookAs(autoclaim(100))},
		{Name: "XAUTOCLAIM, through all", Run: lookAs(autoclaim(muchHeld))},
	}
	return claimCase(bench.Case{
		Name: "claim-look", Messages: muchHeld,
		Metrics:     []bench.Metric{{Unit: "µs of commands/look"}},
		Contestants: contestants,
	})
}

type look func(ctx context.Context, client rueidis.Client, g xstream.Group) error

func lookAs(look look) runFunc {
	return func(ctx context.Context, f *bench.Fixture) ([]float64, error) {
		if err := errors.Join(f.Redis.CreateGroup(ctx, f.Topic, f.Group), muchYoung(ctx, f)); err != nil {
			return nil, err
		}
		client := f.Redis.Client()
		g := xstream.Group{Stream: xstream.Stream{Client: client, Key: f.Topic}, Name: f.Group}
		if err := look(ctx, client, g); err != nil { // scripts are loaded
			return nil, err
		}
		before, err := f.Redis.Stats(ctx)
		if err != nil {
			return nil, err
		}
		for range looks {
			if err := look(ctx, client, g); err != nil {
				return nil, err
			}
		}
		after, err := f.Redis.Stats(ctx)
		if err != nil {
			return nil, err
		}
		seen := after.Since(before, "xack") // it counts in the script that calls it
		f.Note("%s", seen.PerSecond(looks*time.Second))
		return []float64{float64(seen.Total().Time.Microseconds()) / looks}, nil
	}
}

func sweepAlone(ctx context.Context, _ rueidis.Client, g xstream.Group) error {
	_, err := g.Summary(ctx)
	return err
}

func lookAtConsumers(ctx context.Context, _ rueidis.Client, g xstream.Group) error {
	if err := g.Write(ctx); err != nil {
		return err
	}
	_, err := g.Consumers(ctx)
	return err
}

func lookAtPage(ctx context.Context, _ rueidis.Client, g xstream.Group) error {
	const page = 500
	_, err := g.Pending(ctx, xstream.PendingQuery{Count: page})
	return err
}

func readClaim(ctx context.Context, client rueidis.Client, g xstream.Group) error {
	read := client.B().Xreadgroup().Group(g.Name, "member").Count(rawCount).Claim(strconv.FormatInt(minIdle.Milliseconds(), 10)).
		Streams().Key(g.Key).Id(">").Build()
	if err := client.Do(ctx, read).Error(); !rueidis.IsRedisNil(err) {
		return errors.Join(err, errShouldBeNil)
	}
	return nil
}

func autoclaim(count int64) look {
	return func(ctx context.Context, client rueidis.Client, g xstream.Group) error {
		return client.Do(ctx, client.B().Xautoclaim().Key(g.Key).Group(g.Name).Consumer("member").
			MinIdleTime(strconv.FormatInt(minIdle.Milliseconds(), 10)).Start("0").Count(count).Justid().Build()).Error()
	}
}

var errShouldBeNil = errors.New("there should be nothing to take over")

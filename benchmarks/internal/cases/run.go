package cases

import (
	"context"
	"errors"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

// runFunc is what a contestant does in a round.
type runFunc = func(ctx context.Context, f *bench.Fixture) ([]float64, error)

// onBacklog measures what a library does with a topic that is full.
func onBacklog(
	library contestant.Library,
	measure func(ctx context.Context, f *bench.Fixture, s *contestant.Session) ([]float64, error),
) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		session, err := library.Open(ctx, f)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
		if err := library.Fill(ctx, f, session); err != nil {
			return nil, err
		}
		return measure(ctx, f, session)
	}
}

func ignore([]byte) {}

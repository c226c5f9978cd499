package bench

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

func TestRunnerRotatesTheContestants(t *testing.T) {
	t.Parallel()
	var order, topics []string
	c := Case{Messages: 1000, Metrics: []Metric{{}}}
	for _, name := range []string{"a", "b", "c"} {
		c.Contestants = append(c.Contestants, Contestant{Name: name, Share: 2, Run: func(_ context.Context, f *Fixture) ([]float64, error) {
			order, topics = append(order, name), append(topics, f.Topic)
			return []float64{float64(f.Messages)}, nil
		}})
	}
	outcome, err := newRunner(t).Run(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c", "b", "a", "c", "c", "a", "b"}, order)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(topics))), 9)
	require.Equal(t, [][]float64{{250}, {250}, {250}}, outcome.Values["a"])
}

func TestRunnerDividesRoundsIntoParts(t *testing.T) {
	t.Parallel()
	var order []string
	c := Case{Messages: 4000, Rounds: 2, Parts: 2, Metrics: []Metric{{}}}
	for _, name := range []string{"a", "b"} {
		c.Contestants = append(c.Contestants, Contestant{Name: name, Run: func(_ context.Context, f *Fixture) ([]float64, error) {
			order = append(order, name)
			return []float64{float64(f.Messages)}, nil
		}})
	}
	outcome, err := newRunner(t).Run(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "b", "a", "a", "b", "b", "a"}, order)
	require.Equal(t, [][]float64{{1000}, {1000}, {1000}, {1000}}, outcome.Values["b"])
}

func TestRunnerEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	c := Case{Name: "case", Metrics: []Metric{{}}, Contestants: []Contestant{{
		Name: "bad",
		Run:  func(context.Context, *Fixture) ([]float64, error) { return nil, failed },
	}}}
	_, err := newRunner(t).Run(t.Context(), c)
	require.ErrorIs(t, err, failed)
	require.ErrorContains(t, err, "case: bad")
}

func newRunner(t *testing.T) *Runner {
	t.Helper()
	started, err := servers.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(started.Stop)
	return &Runner{Servers: started, Rounds: 3, Scale: 0.5}
}

package bench

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLimitsAreAskedOfEachContestant(t *testing.T) {
	t.Parallel()
	outcome := Outcome{
		Case: Case{
			Metrics: []Metric{
				{Name: "cost", Limits: []Limit{{Cost: 1}}},
				{Name: "ratio", Limits: []Limit{{Contestants: []string{"b"}, Ratio: 1.5}}},
			},
			Contestants: []Contestant{{Name: Ours}, {Name: "a"}, {Name: "b"}},
		},
		Values: map[string][][]float64{Ours: {{1, 10}}, "a": {{2, 10}}, "b": {{0.5, 16}}},
	}
	var verdicts []string
	for _, row := range outcome.Rows() {
		verdicts = append(verdicts, row.Target+" "+row.Verdict)
	}
	require.Equal(t, []string{"≤ 1 ok", "≤ 1 short", "≤ 1 ok", " ", " ", "ratio ≤ 1.5 short"}, verdicts)
}

func TestRunnerHeedsTheLimitsOfACase(t *testing.T) {
	t.Parallel()
	c := Case{Rounds: 1, Metrics: []Metric{{}}, Contestants: []Contestant{{
		Name: Ours,
		Run: func(_ context.Context, f *Fixture) ([]float64, error) {
			f.Note("scale %g", f.Scale)
			return []float64{1}, nil
		},
	}}}
	outcome, err := newRunner(t).Run(t.Context(), c)
	require.NoError(t, err)
	require.Len(t, outcome.Values[Ours], 1)
	require.Equal(t, []string{"ours: scale 0.5"}, outcome.Notes)
}

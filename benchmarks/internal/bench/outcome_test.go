package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRatiosAreMadeRoundByRound(t *testing.T) {
	t.Parallel()
	// The machine was twice as slow in the second round, and four times in the third.
	outcome := Outcome{
		Case: Case{
			Name:        "case",
			Metrics:     []Metric{{Unit: "µs", Rate: true, Targets: []Target{{Others: []string{"slow"}, Value: 10}}}},
			Contestants: []Contestant{{Name: Ours}, {Name: "slow"}},
		},
		Values: map[string][][]float64{
			Ours:   {{1}, {2}, {4}},
			"slow": {{10}, {22}, {36}},
		},
	}
	require.Equal(t, []Row{
		{Case: "case", Contestant: Ours, Unit: "µs", Value: 2, Rate: 500_000},
		{
			Case: "case", Contestant: "slow", Unit: "µs", Value: 22, Rate: 1e6 / 22.0,
			Ratio: &Ratio{Median: 10, Min: 9, Max: 11}, Target: "≥ 10", Verdict: "ok",
		},
	}, outcome.Rows())
}

func TestTargetIsAskedOfTheBestOfTheOthers(t *testing.T) {
	t.Parallel()
	outcome := Outcome{
		Case: Case{
			Metrics:     []Metric{{Targets: []Target{{Others: []string{"a", "b"}, Value: 0.9}}}},
			Contestants: []Contestant{{Name: Ours}, {Name: "a"}, {Name: "b"}},
		},
		Values: map[string][][]float64{Ours: {{1}, {1}}, "a": {{2}, {2}}, "b": {{0.7}, {0.9}}},
	}
	rows := outcome.Rows()
	require.Empty(t, rows[0].Verdict)
	require.Empty(t, rows[1].Verdict)
	require.Equal(t, "short", rows[2].Verdict)
	require.InDelta(t, 0.8, rows[2].Ratio.Median, 1e-9)
}

func TestTargetWithoutOthersIsAskedOfOurs(t *testing.T) {
	t.Parallel()
	outcome := Outcome{
		Case: Case{
			Metrics:     []Metric{{Name: "first"}, {Name: "second", Targets: []Target{{Value: 18}}}},
			Contestants: []Contestant{{Name: Ours}, {Name: "other"}},
		},
		Values: map[string][][]float64{Ours: {{0, 18}}, "other": {{0, 1}}},
	}
	rows := outcome.Rows()
	require.Len(t, rows, 4)
	require.Empty(t, rows[0].Target)
	require.Equal(t, "≤ 18", rows[2].Target)
	require.Equal(t, "ok", rows[2].Verdict)
	require.Empty(t, rows[3].Target)
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/cases"
)

// TestEveryContestantWorks runs all cases with few messages. What they measure then means nothing.
func TestEveryContestantWorks(t *testing.T) {
	t.Parallel()
	readme := filepath.Join(t.TempDir(), "README.md")
	require.NoError(t, os.WriteFile(readme, []byte("above\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nbelow\n"), 0o600))
	options, err := parse([]string{"-rounds", "1", "-scale", "0.002", "-write", readme})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), options, &out), "%s", &out)

	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), "above\n"), "%s", text)
	require.True(t, strings.HasSuffix(string(text), "below\n"), "%s", text)
	require.NotContains(t, string(text), "old")
	rows := costs(t, string(text))
	for _, c := range cases.All() {
		if c.Aside {
			continue
		}
		for range c.Metrics {
			for _, contestant := range c.Contestants {
				require.NotEmpty(t, rows, "%s: %s", c.Name, contestant.Name)
				require.Equal(t, contestant.Name, rows[0].contestant, c.Name)
				require.Positive(t, rows[0].cost, "%s: %s", c.Name, contestant.Name)
				rows = rows[1:]
			}
		}
	}
	require.Empty(t, rows)
}

// TestEveryCaseAsideWorks does the same for what is not in the table.
func TestEveryCaseAsideWorks(t *testing.T) {
	t.Parallel()
	options, err := parse([]string{"-rounds", "1", "-scale", "0.002", "-run", "^(cluster|claim)-"})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), options, &out), "%s", &out)
	for _, c := range cases.All() {
		if strings.Contains(out.String(), c.Name+" is left out: the server refuses CLAIM") {
			require.Contains(t, c.Name, "claim-")
			continue
		}
		for _, contestant := range c.Contestants {
			if c.Aside {
				require.Regexp(t, `(?s)`+regexp.QuoteMeta(c.Name)+`.*\n  `+regexp.QuoteMeta(contestant.Name)+` +\d`, out.String())
			}
		}
	}
}

func TestRunWithoutMarkersFailsBeforeItStarts(t *testing.T) {
	t.Parallel()
	readme := filepath.Join(t.TempDir(), "README.md")
	for _, text := range []string{"", "<!-- bench:begin -->", "<!-- bench:end --><!-- bench:begin -->"} {
		require.NoError(t, os.WriteFile(readme, []byte(text), 0o600))
		options, err := parse([]string{"-write", readme})
		require.NoError(t, err)
		var out bytes.Buffer
		require.ErrorContains(t, run(t.Context(), options, &out), "<!-- bench:begin --> and, behind it, <!-- bench:end -->")
		require.Empty(t, out.String())
	}
}

func TestRunWithoutCasesFails(t *testing.T) {
	t.Parallel()
	options, err := parse([]string{"-run", "no such case"})
	require.NoError(t, err)
	require.ErrorContains(t, run(t.Context(), options, &bytes.Buffer{}), "no such case")
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-rounds", "0"}, {"-scale", "0"}, {"-run", "("}, {"argument"}, {"-write", "README.md", "-run", "x"}, {"-write", "README.md", "-alone"}} {
		_, err := parse(args)
		require.Error(t, err, "%q", args)
	}
}

type cost struct {
	contestant string
	cost       float64
}

// costs reads the rows of a table.
func costs(t *testing.T, text string) []cost {
	t.Helper()
	var found []cost
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 8 || strings.Contains(line, "---") || strings.Contains(line, "Contestant") {
			continue
		}
		value, _, _ := strings.Cut(strings.TrimSpace(cells[3]), " ")
		parsed, err := strconv.ParseFloat(value, 64)
		require.NoError(t, err, line)
		found = append(found, cost{strings.TrimSpace(cells[2]), parsed})
	}
	return found
}

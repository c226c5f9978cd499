//go:build planted

package chaos

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/tests/chaos/check"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// mostRounds is how many a planted bug may need.
const mostRounds = 40

func TestPlantedBugsAreCaught(t *testing.T) {
	t.Parallel()
	sound, err := BuildWorker(t.TempDir(), "")
	require.NoError(t, err)
	var (
		mu    sync.Mutex
		table []string
	)
	t.Cleanup(func() {
		slices.Sort(table)
		_, _ = fmt.Fprintln(t.Output(), strings.Join(table, "\n"))
	})
	for _, b := range plantedBugs() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			rule, rounds := b.catch(t)
			b.mustBeSound(t, sound, rounds)
			mu.Lock()
			defer mu.Unlock()
			table = append(table, fmt.Sprintf("%-40s -> %s, %d rounds", b.name, rule, rounds))
		})
	}
}

// catch runs rounds until a rule reports the bug that should, and returns what was
// reported and how many rounds it took.
func (b plantedBug) catch(t *testing.T) (rule string, rounds int) {
	t.Helper()
	dir := t.TempDir()
	overlay, err := b.overlay(dir)
	require.NoError(t, err)
	worker, err := BuildWorker(dir, overlay)
	require.NoError(t, err)
	others := map[string]int{}
	for n := 1; n <= mostRounds; n++ {
		_, broken := b.round(t, worker, n)
		for _, v := range broken {
			if slices.Contains(b.rules, v.Rule) {
				t.Log(v)
				return v.Rule, n
			}
			others[v.Rule]++
		}
	}
	t.Errorf("not caught in %d rounds; other rules that reported something: %v", mostRounds, others)
	return "nothing", mostRounds
}

// mustBeSound runs the round that showed the bug without it. Where the same rule
// has something to say then, the plan is to blame, the checker, or the library.
func (b plantedBug) mustBeSound(t *testing.T, worker string, n int) {
	t.Helper()
	result, broken := b.round(t, worker, n)
	broken = slices.DeleteFunc(broken, func(v check.Violation) bool { return !slices.Contains(b.rules, v.Rule) })
	if len(broken) == 0 {
		return
	}
	file := filepath.Join(cmp.Or(os.Getenv(dirVariable), os.TempDir()), strings.ReplaceAll(b.name, " ", "-")+".history")
	require.NoError(t, history.Write(file, result.History))
	t.Errorf("without the bug: %v\nthe history is %s", broken, file)
}

// round runs the bug's plan once and returns what the history says. Its server ends
// with it.
func (b plantedBug) round(t *testing.T, worker string, n int) (result Result, broken []check.Violation) {
	t.Helper()
	t.Run(strconv.Itoa(n), func(t *testing.T) {
		var err error
		result, err = Round(t, Workers{Plain: worker, Jumping: worker}, b.draw(uint64(n)), t.TempDir())
		require.NoError(t, err)
		broken = check.Judge(result.History, promises(result.Plan))
	})
	return result, broken
}

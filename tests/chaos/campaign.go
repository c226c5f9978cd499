package chaos

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/check"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// Campaign is many rounds, several at once.
type Campaign struct {
	Workers Workers
	Dir     string    // where the files of rounds with violations are kept
	Log     io.Writer // gets a line for each round

	mu         sync.Mutex // protects the following fields
	rounds     int
	violations int
	faults     map[string]int
	report     check.Report
}

// Round runs the plan of a seed and fails the test if it breaks a promise.
func (c *Campaign) Round(tb testing.TB, seed uint64) {
	tb.Helper()
	plan := Draw(seed)
	dir, err := os.MkdirTemp(c.Dir, fmt.Sprintf("chaos-%d-", seed)) //nolint:usetesting // it is kept after a violation
	if err != nil {
		tb.Fatal(err)
	}
	begin := time.Now()
	result, err := Round(tb, c.Workers, plan, dir)
	if err != nil {
		c.logf("seed %d: %v", seed, err)
		tb.Fatalf("%v\n%v\nthe files are in %s", err, plan, dir)
	}
	report := check.Examine(result.History, promises(plan))
	broken := result.Trouble
	for _, v := range report.Violations {
		broken = append(broken, v.String())
	}
	c.add(result, report, len(broken), time.Since(begin))
	if len(broken) > 0 {
		tb.Errorf("%v\n%s\n\n%d violations; CHAOS_SEED=%d repeats the plan; the history is %s",
			plan, strings.Join(broken, "\n"), len(broken), seed, result.File)
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		tb.Error(err)
	}
}

// add counts a round and writes its line.
func (c *Campaign) add(r Result, report check.Report, violations int, took time.Duration) {
	kinds := map[history.Kind]int{}
	for _, e := range r.History {
		kinds[e.Kind]++
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rounds++
	c.violations += violations
	c.report.Add(report)
	if c.faults == nil {
		c.faults = map[string]int{}
	}
	for _, name := range r.Plan.Faults() {
		c.faults[name]++
	}
	c.logf("seed %d: %.1f s, settled %d ms after the last fault, %d published, %d delivered, %d dead letters, %d violations: %s",
		r.Plan.Seed, took.Seconds(), r.Settled.Milliseconds(), kinds[history.Published], kinds[history.Delivered],
		kinds[history.DeadLettered], violations, strings.Join(r.Plan.Faults(), ", "))
}

// logf writes one line.
func (c *Campaign) logf(format string, args ...any) { _, _ = fmt.Fprintf(c.Log, format+"\n", args...) }

// Summary is what all rounds came to.
func (c *Campaign) Summary() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d rounds, %d violations\n", c.rounds, c.violations)
	for _, name := range slices.Sorted(maps.Keys(c.faults)) {
		fmt.Fprintf(&b, "%6d %s\n", c.faults[name], name)
	}
	for _, rule := range c.report.Rules() {
		fmt.Fprintf(&b, "%6d checks of rule %s, %d excused by faults\n", c.report.Checks[rule], rule, c.report.Excused[rule])
	}
	return b.String()
}

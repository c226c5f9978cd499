package partitions

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

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/check"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// seedVariable is the environment variable with the seed of the only round, or with a duration of
// the first of many.
const seedVariable = "PARTITIONS_SEED"

// Campaign is many rounds, several at once.
type Campaign struct {
	Worker string
	Dir    string    // where the files of rounds with violations are kept
	Log    io.Writer // gets a line for each round
	Faults []string  // the only ones that happen; none are all

	mu         sync.Mutex // protects the following fields
	rounds     int
	violations int
	happened   map[string]int
	report     check.Report
}

// Round runs the plan of a seed and fails the test if it breaks a promise.
func (c *Campaign) Round(tb testing.TB, seed uint64) {
	tb.Helper()
	plan := Draw(seed)
	if len(c.Faults) > 0 {
		plan = drawFrom(seed, only(c.Faults))
	}
	dir, err := os.MkdirTemp(c.Dir, fmt.Sprintf("partitions-%d-", seed)) //nolint:usetesting // it is kept after a violation
	if err != nil {
		tb.Fatal(err)
	}
	begin := time.Now()
	result, err := Round(tb, c.Worker, plan, dir)
	if err != nil {
		c.logf("seed %d: %v", seed, err)
		tb.Fatalf("%v\n%v\nthe files are in %s", err, plan, dir)
	}
	report := check.Judge(result.History, promises(plan))
	broken := result.Trouble
	for _, v := range report.Violations {
		broken = append(broken, v.String())
	}
	c.add(result, report, len(broken), time.Since(begin))
	if len(broken) > 0 {
		tb.Errorf("%v\n%s\n\n%d violations; %s=%d repeats the plan; the history is %s",
			plan, strings.Join(broken, "\n"), len(broken), seedVariable, seed, result.File)
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		tb.Error(err)
	}
}

// promises are what the library promises for a plan.
func promises(p Plan) check.Options {
	o := check.Options{
		Partitions: task.Partitions, LeaseTTL: leaseTTL, CloseTimeout: p.CloseTimeout,
		LiveBound: settleTimeout - time.Second, EvenBound: evenTime + settledTime, MaxInFlight: map[string]int{},
	}
	for i, n := range p.MaxInFlight {
		o.MaxInFlight[memberName(i)] = n
	}
	for _, c := range catalog() {
		if c.hits == aLine {
			o.CutOff = append(o.CutOff, c.name)
		}
	}
	return o
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
	if c.happened == nil {
		c.happened = map[string]int{}
	}
	for _, name := range r.Plan.Faults() {
		c.happened[name]++
	}
	rules := map[string]int{}
	for _, v := range report.Violations {
		rules[v.Rule]++
	}
	c.logf("seed %d: %.1f s, settled %d ms after the last fault, %d in the streams, %d delivered, %d violations %v, excused %v: %s",
		r.Plan.Seed, took.Seconds(), r.Settled.Milliseconds(), kinds[history.InStream], kinds[history.Delivered],
		violations, rules, report.Excused, strings.Join(r.Plan.Faults(), ", "))
}

// logf writes one line.
func (c *Campaign) logf(format string, args ...any) { _, _ = fmt.Fprintf(c.Log, format+"\n", args...) }

// Summary is what all rounds came to.
func (c *Campaign) Summary() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "%d rounds, %d violations\n", c.rounds, c.violations)
	list := func(title string, counts map[string]int) {
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "%8d %s %s\n", counts[name], title, name)
		}
	}
	list("times", c.happened)
	list("checks of rule", c.report.Checks)
	list("excused by rule", c.report.Excused)
	return b.String()
}

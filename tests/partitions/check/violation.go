package check

import (
	"fmt"
	"strings"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// Violation is a broken promise.
type Violation struct {
	Rule   string // one of the rules' names, which do not change
	Text   string
	Events []history.Event // that show it
}

func (v Violation) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s", v.Rule, v.Text)
	for _, e := range v.Events {
		fmt.Fprintf(&s, "\n\t%d.%06d %s %s p%d epoch=%d %s %s deliveries=%d %v %s",
			e.At/1e9, e.At%1e9/1e3, e.Kind, e.Process, e.Partition, e.Epoch, e.UUID, e.Entry, e.Deliveries, e.Entries, e.Text)
	}
	return s.String()
}

// Report is what came of a judgment.
type Report struct {
	Violations []Violation
	// Checks is how often each rule had something to look at. A rule that never had proves
	// nothing.
	Checks map[string]int
	// Excused is how often something excused what the rule would have reported, and what.
	Excused map[string]int
}

// Add adds another round's report, but not its violations.
func (r *Report) Add(other Report) {
	if r.Checks == nil {
		r.Checks, r.Excused = map[string]int{}, map[string]int{}
	}
	for rule, n := range other.Checks {
		r.Checks[rule] += n
	}
	for why, n := range other.Excused {
		r.Excused[why] += n
	}
}

func (r *Report) checked(rule string) { r.Checks[rule]++ }

func (r *Report) excused(rule, why string) { r.Excused[rule+": "+why]++ }

func (r *Report) broken(rule, text string, events ...history.Event) {
	r.Violations = append(r.Violations, Violation{Rule: rule, Text: text, Events: events})
}

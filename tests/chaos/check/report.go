package check

import (
	"maps"
	"slices"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// Report is what came of a judgment.
type Report struct {
	Violations []Violation
	// Checks is how often each rule had something to look at. A rule that never had
	// proves nothing.
	Checks map[string]int
	// Excused is how often a fault excused what the rule would have reported.
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
	for rule, n := range other.Excused {
		r.Excused[rule] += n
	}
}

// Rules lists the rules that have looked at something.
func (r *Report) Rules() []string { return slices.Sorted(maps.Keys(r.Checks)) }

func (r *Report) checked(rule string) { r.Checks[rule]++ }

func (r *Report) excused(rule string) { r.Excused[rule]++ }

// broken reports a violation that has to do with an entry.
func (r *Report) broken(rule string, c *course, text string, events ...history.Event) {
	r.Violations = append(r.Violations, Violation{
		Rule: rule, Topic: c.audience.topic, Group: c.audience.group, UUID: c.uuid, Entry: c.entry, Text: text, Events: events,
	})
}

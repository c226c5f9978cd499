package check

import (
	"cmp"
	"slices"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// Judge returns what broke a promise in the history of one round, in the order of
// time.
func Judge(h []history.Event, o Options) []Violation { return Examine(h, o).Violations }

// Examine is Judge with a count of what was looked at.
func Examine(h []history.Event, o Options) Report {
	h = slices.Clone(h)
	slices.SortStableFunc(h, func(a, b history.Event) int { return cmp.Compare(a.At, b.At) })
	s := newStory(h, o.withDefaults())
	r := &Report{Checks: map[string]int{}, Excused: map[string]int{}}
	for _, rule := range []func(*story, *Report){
		lost, publishOutcome, exclusive, robbed, twice,
		fanOutOrder, fanOutGaps, groupOrder, nackOrder, publishOrder,
		count, deadLetters, condemned,
		settled, ends, leftBehind, requeue, live,
	} {
		rule(s, r)
	}
	return *r
}

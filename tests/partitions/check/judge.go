package check

import (
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// Options are what the members were told, and what the judge should know of the machine.
type Options struct {
	Partitions   int
	MaxInFlight  map[string]int // by slot; 1 if it is not there
	LeaseTTL     time.Duration
	CloseTimeout time.Duration
	LiveBound    time.Duration // for how long after the last fault something may be unsettled
	EvenBound    time.Duration // the same for shares that are not even
	CutOff       []string      // faults that hit the line of a process
}

const (
	// wake is how long the goroutines of a process may need to go on after a pause.
	wake = 100 * time.Millisecond
	// slack is by how much a busy machine may be late with what takes long.
	slack = 300 * time.Millisecond
	// tick is the precision of epochs, which are times.
	tick = 2 * time.Millisecond
)

// Judge has all rules look at a history.
func Judge(events []history.Event, o Options) Report {
	s := newStory(events, o)
	r := Report{Checks: map[string]int{}, Excused: map[string]int{}}
	for _, rule := range []func(*story, *Report){published, lost, order, acked, epochs, exclusive, even, ends} {
		rule(s, &r)
	}
	return r
}

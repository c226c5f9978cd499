package partitions

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// action is the beginning or the end of a fault.
type action struct {
	at   time.Duration
	kind history.Kind
	do   func(*stage) error
	of   Strike
}

// play has each fault of a storm begin and end at its time. They come one after the other: one
// that takes longer than planned delays the others.
func (r *round) play(s Storm) error {
	begin := time.Now()
	for _, a := range actions(s) {
		if !r.pass(time.Until(begin.Add(a.at))) {
			return errStuck
		}
		if err := r.act(a); err != nil {
			return fmt.Errorf("%s of %v: %w", a.kind, a.of, err)
		}
	}
	return nil
}

// act notes the beginning before it, and the end after it.
func (r *round) act(a action) error {
	e := history.Event{Kind: a.kind, Text: a.of.Name, Target: a.of.Target}
	if slot := r.slots[a.of.Target]; slot != nil && slot.running() != nil {
		e.Process = slot.running().task.Process
	}
	if a.kind == history.FaultBegins {
		r.note(e)
	} else {
		defer r.note(e)
	}
	return a.do(r.stage)
}

func actions(storm Storm) []action {
	actions := make([]action, 0, 2*len(storm.Strikes))
	for _, s := range storm.Strikes {
		actions = append(actions,
			action{s.At, history.FaultBegins, s.fault.begin, s},
			action{s.At + s.For, history.FaultEnds, s.fault.end, s})
	}
	slices.SortStableFunc(actions, func(a, b action) int { return cmp.Compare(a.at, b.at) })
	return actions
}

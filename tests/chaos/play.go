package chaos

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

// play has each fault begin and end at its time. They come one after the other: one that takes
// longer than planned delays the others.
func (r *round) play() error {
	begin := time.Now()
	defer func() { r.rest(time.Until(begin.Add(shortest))) }()
	for _, a := range r.actions() {
		if !r.rest(time.Until(begin.Add(a.at))) {
			return errStuck
		}
		if err := r.act(a); err != nil {
			return fmt.Errorf("%s of %v: %w", a.kind, a.of, err)
		}
	}
	return nil
}

// act notes the beginning before it, and the end after it. What hits a line is noted of the
// processes that use it; the end of a process or its pause are events of their own.
func (r *round) act(a action) error {
	begins := a.kind == history.FaultBegins
	note := func() { r.note(faultEvent(a.kind, a.of.Name, a.of.Target)) }
	if a.of.hits == aLine {
		slot := r.slots[a.of.Target]
		note = func() { slot.spare(a.of.Name) }
		if begins {
			note = func() { slot.hit(a.of.Name) }
		}
	}
	if begins {
		note()
		return a.do(r.stage)
	}
	defer note()
	return a.do(r.stage)
}

func (r *round) actions() []action {
	actions := make([]action, 0, 2*len(r.plan.Strikes))
	for _, s := range r.plan.Strikes {
		actions = append(actions,
			action{s.At, history.FaultBegins, s.fault.begin, s},
			action{s.At + s.For, history.FaultEnds, s.fault.end, s})
	}
	slices.SortStableFunc(actions, func(a, b action) int { return cmp.Compare(a.at, b.at) })
	return actions
}

// rest lets time pass, and reports false when the test has ended.
func (s *stage) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.tb.Context().Done():
		return false
	}
}

package check

import (
	"slices"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// process is what happened to one process.
type process struct {
	name    string
	died    int64 // never, if it was still there at the end
	killed  bool
	pauses  []span
	cuts    []span
	closing []history.Event

	subscriptions []*subscription
	troubles      []trouble // all of the above and the server's, joined
}

// subscription is one stay of a process in an audience.
type subscription struct {
	audience audience
	process  *process
	since    int64
	closing  int64 // asked to end; never, if it was not
	ended    int64 // its channel was closed, or its process died; never, if neither
	channel  history.Event
	handOuts []*handOut
}

func (p *process) subscription(a audience) *subscription {
	for _, sub := range slices.Backward(p.subscriptions) {
		if sub.audience == a {
			return sub
		}
	}
	return nil
}

// inTrouble reports whether the process, or the server, had trouble between two
// times.
func (p *process) inTrouble(from, to int64) bool {
	for _, t := range p.troubles {
		if t.overlaps(from, to) {
			return true
		}
	}
	return false
}

// cutOff reports whether the process alone was silent for at least so long, in
// trouble that lasts into the time between two times.
func (p *process) cutOff(from, to, long int64) bool {
	for _, t := range p.troubles {
		if t.own && t.overlaps(from, to) && min(to, t.to)-t.from >= long {
			return true
		}
	}
	return false
}

// lastPause is the last long pause that was over before a time.
func (p *process) lastPause(before, long int64) (last span, ok bool) {
	for _, s := range p.pauses {
		if s.to <= before && s.to-s.from >= long {
			last, ok = s, true
		}
	}
	return last, ok
}

// abrupt reports whether the subscription ended before a time without having said
// to Redis, for sure, what became of its entries.
func (s *subscription) abrupt(before, recovery int64) bool {
	if s.ended > before {
		return false
	}
	if s.channel.Kind == "" || s.process.killed && s.process.died <= s.ended {
		return true
	}
	return s.process.inTrouble(s.closing-recovery, s.ended)
}

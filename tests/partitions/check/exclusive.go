package check

import (
	"fmt"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// exclusive holds that two handlers don't work on a partition at the same time; within a session
// with several messages in flight, on a key. Between two sessions these are excused:
//   - the older one's handler was told that its context has ended, and goes on all the same;
//   - the older one's process was stopped or got no time when the newer one began, and told its
//     handler, or that has ended, as soon as it was back.
func exclusive(s *story, r *Report) {
	working := make([][]*handOut, s.options.Partitions)
	for _, h := range s.handOuts {
		p := h.entry.partition
		still := working[p][:0]
		for _, other := range working[p] {
			if other.ended() <= h.at() {
				continue
			}
			still = append(still, other)
			s.together(other, h, r)
		}
		working[p] = append(still, h)
	}
}

// together looks at two handlers of a partition of which the first had not ended when the second
// began.
func (s *story) together(a, b *handOut, r *Report) {
	r.checked("exclusive")
	if a.session == b.session {
		if s.maxInFlight(a.process.name) == 1 || a.entry.key == b.entry.key {
			r.broken("exclusive", fmt.Sprintf("two handlers of one session work on partition %d", b.entry.partition), a.delivered, b.delivered)
		}
		return
	}
	older := a
	if b.session.epoch < a.session.epoch {
		older = b
	}
	switch {
	case older.toldAt() <= b.at():
		r.excused("exclusive", "the handler ignores the end of its context")
	case s.wasAway(older, b.at()):
		r.excused("exclusive", "the process was away")
	default:
		text := fmt.Sprintf("two sessions' handlers work on partition %d", b.entry.partition)
		if older.process.isCut(b.at()) {
			text += "; the older one is cut off"
		}
		r.broken("exclusive", text, nonzero(a.delivered, b.delivered, older.told, older.outcome)...)
	}
}

// wasAway reports whether a process could not know that it had lost a partition by a time, and
// noticed as soon as it could.
func (s *story) wasAway(h *handOut, at int64) bool {
	pause, ok := h.process.awayAt(at)
	if !ok {
		return false
	}
	back := max(pause.to, at)
	return pause.to == never || min(h.ended(), h.toldAt()) <= back+int64(wake)
}

func nonzero(events ...history.Event) []history.Event {
	var out []history.Event
	for _, e := range events {
		if e.Kind != "" {
			out = append(out, e)
		}
	}
	return out
}

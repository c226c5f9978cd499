package check

import "github.com/watermill-rueidis/redisstream/tests/chaos/history"

// condemned holds that a message that was rejected, or has failed as often as
// allowed, is among the dead letters or was there. Excused is one whose consumer
// may not have come so far as to say so, which then comes again; and one that was
// removed from the stream, or settled by somebody who had lost it.
func condemned(s *story, r *Report) {
	for _, c := range s.courses {
		if c.audience.group == "" {
			continue
		}
		for _, h := range c.handOuts {
			over := s.isOver(h) && !h.done()
			if !over {
				continue
			}
			r.checked("condemned")
			switch {
			case len(c.letters) > 0 || s.wasRequeued(c, h):
			case s.mayBeUnknown(h, s.end) != "" || s.wasTrimmed(c.audience.topic, c.entry) || c.first((*handOut).done) != nil,
				s.destroyedBetween(c.audience, h.settledBy()-s.o.ackTime, s.end), s.flushed(h.at()-s.o.recovery, s.end):
				r.excused("condemned")
			default:
				r.broken("condemned", c, "is not among the dead letters", h.delivered, h.outcome)
			}
		}
	}
}

// wasRequeued reports whether the letter of a hand-out was put back.
func (s *story) wasRequeued(c *course, h *handOut) bool {
	for _, e := range c.requeued {
		if e.At >= h.settledBy() {
			return e.Kind == history.Requeued
		}
	}
	return false
}

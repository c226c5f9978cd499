package check

import (
	"strings"

	"github.com/watermill-rueidis/redisstream"
)

// robbed holds that a live consumer keeps what it has, whatever becomes of the
// server: its handler is told of a loss only when it may have lost the message, or
// somebody who had lost it before has settled it late.
func robbed(s *story, r *Report) {
	for _, c := range s.courses {
		for _, h := range c.handOuts {
			r.checked("robbed")
			if !strings.Contains(h.noticed.Text, redisstream.ErrLeaseLost.Error()) {
				continue
			}
			if s.mayHaveLost(h, h.noticed.At) != "" || s.settledByOther(h) {
				r.excused("robbed")
				continue
			}
			r.broken("robbed", c, "a live consumer has lost a message", h.delivered, h.noticed)
		}
	}
}

// settledByOther reports whether somebody else settled the message while this one
// had it.
func (s *story) settledByOther(h *handOut) bool {
	return h.course.first(func(o *handOut) bool {
		return o != h && s.isOver(o) && o.settledBy() <= h.noticed.At && o.settledBy() >= h.at()-s.o.ackTime
	}) != nil
}

package check

import "fmt"

// count holds that the delivery count is that of hand-outs, and that no message is
// handed out more often than allowed. Each consumer that ended abruptly, or was
// silent for too long, may have left one too many: it had read the entry, or got it
// without a chance to write that down. A group that was lost may have counted less.
func count(s *story, r *Report) {
	for _, c := range s.courses {
		for _, h := range c.handOuts {
			r.checked("count")
			n := int64(len(c.upTo(h.at())))
			extra, said := s.uncertain(c, h.at()), h.delivered.Deliveries
			switch {
			case said > n+extra:
				r.broken("count", c, fmt.Sprintf("counts %d deliveries, and there were at most %d", said, n+extra), c.shown(h.at())...)
			case said < n && s.mayForget(h):
				r.excused("count")
			case said < n:
				r.broken("count", c, fmt.Sprintf("counts %d deliveries, and there were %d", said, n), c.shown(h.at())...)
			}
			s.limit(r, h, n)
		}
	}
}

// limit reports a hand-out that exceeds MaxDeliveries. A first one whose consumer
// died cannot be told from a read without a hand-out, so it does not count alone.
func (s *story) limit(r *Report, h *handOut, n int64) {
	most := int64(s.options.group(h.course.audience).MaxDeliveries)
	if most == 0 || n <= max(most, min(1+s.uncertain(h.course, h.at()), 2)) {
		return
	}
	if s.mayForget(h) {
		r.excused("count")
		return
	}
	r.broken("count", h.course, fmt.Sprintf("delivered %d times, and %d are allowed", n, most), h.course.shown(h.at())...)
}

// uncertain is how many hand-outs may be counted until a time that are not in the
// history: of those who ended, or were silent, since the entry has been there. What
// waits in a line comes out of it some time after the line is well again.
func (s *story) uncertain(c *course, at int64) int64 {
	begin, n := max(c.since(at), s.publishing[c.uuid].At), int64(0)
	for _, sub := range s.subscriptions {
		if sub.audience != c.audience || sub.since > at || sub.ended < begin {
			continue
		}
		if sub.abrupt(at, s.o.recovery) {
			n++
		}
		for _, t := range sub.process.troubles {
			if t.own && t.overlaps(max(begin, sub.since)-s.o.slack, at) && min(t.to, at)-t.from >= s.o.leaseMargin {
				n++
			}
		}
	}
	return n
}

// mayForget reports whether the server may have lost hand-outs of a message, or the
// history has them in another order.
func (s *story) mayForget(h *handOut) bool {
	for _, other := range h.course.handOuts {
		if other.at() < h.at() && s.wroteLate(h, other.at()) {
			return true
		}
	}
	for _, e := range s.destroyed[h.course.audience] {
		first := h.course.handOuts[0]
		if e.At <= h.at() && e.At >= first.at()-s.o.recovery {
			return true
		}
	}
	return s.flushed(h.course.handOuts[0].at(), h.at())
}

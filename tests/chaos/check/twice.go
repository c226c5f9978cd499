package check

// twice holds that what was acked, dropped or given up does not come again in the
// group. Excused is what the README says of acks that may not have arrived: see
// mayBeUnknown; and a message that was put back from the dead letters.
func twice(s *story, r *Report) {
	for _, c := range s.courses {
		for _, h := range c.handOuts {
			earlier := c.upTo(h.at())
			if len(earlier) < 2 {
				continue
			}
			r.checked("twice")
			s.againstEach(r, h, earlier)
		}
	}
}

// againstEach compares a hand-out with the earlier ones that settled its message.
func (s *story) againstEach(r *Report, h *handOut, earlier []*handOut) {
	for _, before := range earlier {
		if before == h || !s.isOver(before) || before.settledBy() > h.at() {
			continue
		}
		if s.mayBeUnknown(before, h.at()) != "" || s.wroteLate(h, before.settledBy()) {
			r.excused("twice")
			continue
		}
		r.broken("twice", h.course, "delivered again after "+before.process().name+" had settled it", before.delivered, before.outcome, h.delivered)
		return
	}
}

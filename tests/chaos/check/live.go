package check

// live holds that everything is settled in time when all faults are over. There is
// no excuse: a message that takes longer has been forgotten by somebody.
func live(s *story, r *Report) {
	if s.quiet == never {
		return
	}
	for _, d := range s.dues() {
		for _, g := range s.options.Groups {
			if g.Name == "" || g.Topic != d.topic {
				continue
			}
			r.checked("live")
			a := audience{topic: g.Topic, group: g.Name}
			for _, c := range s.in(a, d) {
				h := c.first((*handOut).done)
				if h != nil && h.settledBy() > max(s.quiet, d.since)+s.o.liveBound {
					r.broken("live", c, "was settled too late", h.delivered, h.outcome)
				}
			}
		}
	}
}

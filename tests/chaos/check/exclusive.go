package check

// exclusive holds that nobody gets a message while somebody in the group has it:
// from its delivery until its handler has settled it or was told of its loss, its
// channel has ended, or its process. Excused are the announced ways to lose one: see
// mayHaveLost; and a delivery that was written after a pause.
func exclusive(s *story, r *Report) {
	for _, c := range s.courses {
		for i, h := range c.handOuts {
			r.checked("exclusive")
			for _, holder := range c.handOuts[:i] {
				if holder.ended <= h.at() {
					continue
				}
				if s.mayHaveLost(holder, h.at()) != "" || s.wroteLate(h, holder.at()) {
					r.excused("exclusive")
					continue
				}
				r.broken("exclusive", c, "delivered to "+h.process().name+" while "+holder.process().name+" has it",
					holder.delivered, h.delivered)
			}
		}
	}
}

package check

// groupOrder holds that the only subscription of a group, which has one message at
// a time, gets first deliveries in the order of the stream, also after another one
// that ended in an orderly way. Excused is what comes after a crash or an outage of
// its own, when a lost reply or the entries of a dead consumer may come later.
func groupOrder(s *story, r *Report) {
	for _, sub := range s.subscriptions {
		g := s.options.group(sub.audience)
		if sub.audience.group == "" || g.MaxInFlight != 1 || g.ReturnToGroup {
			continue
		}
		s.ascending(r, "group order", sub, func(_, h *handOut) bool {
			since := h.at() - 2*s.o.minIdle - s.o.recovery
			return s.hadCompany(sub, since, h.at()) || s.flushed(since, h.at()) || sub.process.inTrouble(since, h.at()) ||
				s.destroyedBetween(sub.audience, since, h.at()) || s.clockJumped(since, h.at()) || len(h.course.requeued) > 0
		})
	}
}

// hadCompany reports whether another subscription of the group was there together
// with this one, or ended abruptly after a time.
func (s *story) hadCompany(sub *subscription, from, to int64) bool {
	for _, other := range s.subscriptions {
		if other == sub || other.audience != sub.audience || other.since > to {
			continue
		}
		if other.ended > sub.since || other.abrupt(to, s.o.recovery) && other.ended >= from {
			return true
		}
	}
	return false
}

func (s *story) destroyedBetween(a audience, from, to int64) bool {
	for _, e := range s.destroyed[a] {
		if e.At >= from && e.At <= to {
			return true
		}
	}
	return false
}

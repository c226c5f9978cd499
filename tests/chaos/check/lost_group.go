package check

// wentWithGroup says whether the README gives a message up with its group: it was
// given back shortly before, or read in a reply that may not have arrived, or the
// one who had it did not live to register it in the new group.
func (s *story) wentWithGroup(a audience, d due) bool {
	for _, e := range s.destroyed[a] {
		if d.since-s.o.ackTime > e.At {
			continue
		}
		from := max(s.forgottenSince(a, e.At), e.At-s.o.minIdle-s.o.groupLoss)
		last := s.lastBefore(a, d, e.At)
		switch {
		case last == nil:
			if s.anyLeft(a, from, e.At) || s.mayHaveWaited(a, d, e.At) {
				return true
			}
		case s.leftBehind(last.subscription, from, e.At):
			return true
		case s.givenBack(last, from, e.At):
			return true
		}
	}
	return false
}

func (s *story) lastBefore(a audience, d due, at int64) *handOut {
	var last *handOut
	for _, c := range s.in(a, d) {
		for _, h := range c.handOuts {
			if h.at() <= at && (last == nil || h.at() > last.at()) {
				last = h
			}
		}
	}
	return last
}

// anyLeft reports whether any member may have read the message without handing it
// out, and did not live, or not well enough, to say so.
func (s *story) anyLeft(a audience, from, destroyed int64) bool {
	for _, sub := range s.subscriptions {
		if sub.audience == a && (s.leftBehind(sub, from, destroyed) || sub.process.inTrouble(from, destroyed)) {
			return true
		}
	}
	return false
}

// mayHaveWaited reports whether a member may have read the message, and given it back unseen
// shortly before the group was destroyed. It does so with what its handlers keep waiting for a
// second.
func (s *story) mayHaveWaited(a audience, d due, destroyed int64) bool {
	const hoard = 1e9
	if d.since > destroyed-hoard+s.o.slack {
		return false
	}
	for _, sub := range s.subscriptions {
		for _, h := range sub.handOuts {
			slow := min(h.ended, destroyed)-h.at() >= hoard/2
			if sub.audience == a && slow && h.ended >= destroyed-s.o.groupLoss {
				return true
			}
		}
	}
	return false
}

// leftBehind reports whether a subscription ended at the wrong time to bring what
// it had into the new group: nobody counts it as gone before MinIdle has passed.
func (s *story) leftBehind(sub *subscription, from, destroyed int64) bool {
	if sub.abrupt(destroyed+s.o.recovery, s.o.recovery) {
		from = min(from, destroyed-s.o.minIdle-s.o.groupLoss)
	}
	if sub.ended >= from && sub.ended <= destroyed+s.o.recovery {
		return true
	}
	for _, t := range sub.process.troubles { // it never came back to register what it had
		if t.overlaps(from, destroyed) && sub.ended >= t.from && sub.ended <= t.to+s.o.recovery {
			return true
		}
	}
	return false
}

func (s *story) givenBack(h *handOut, from, destroyed int64) bool {
	g := s.options.group(h.course.audience)
	returned := g.ReturnToGroup || h.settledBy() >= h.subscription.closing
	return returned && h.settledBy() >= from && h.settledBy() <= destroyed+s.o.ackTime
}

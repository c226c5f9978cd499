package check

// doubt is why an entry may not count as settled.
type doubt string

const (
	noDoubt     doubt = ""
	notSeen     doubt = "was never handed out"
	notAcked    doubt = "was not acked by the last one who got it"
	ackedInVain doubt = "was only acked by who had lost the partition"
)

// settledFor says what speaks against an entry being settled when a session began, or at the
// end if there is no session.
//
// Who has a partition begins with all that is pending. So an entry that was handed out in a
// session was pending when that was granted, and no older one can ack it any more: only the ack
// of the newest session that handed it out counts, and of that only one that was given before
// the next session was granted.
func (s *story) settledFor(x *entry, later *session) doubt {
	var before []*handOut
	var newest *session
	for _, h := range x.handOuts {
		if later != nil && h.session.epoch >= later.epoch {
			continue
		}
		before = append(before, h)
		if newest == nil || h.session.epoch > newest.epoch {
			newest = h.session
		}
	}
	if newest == nil {
		return notSeen
	}
	why := notAcked
	for _, h := range before {
		switch {
		case !h.isAcked():
		case h.session == newest && h.outcome.At <= newest.until():
			return noDoubt
		default:
			why = ackedInVain
		}
	}
	return why
}

// until is when the acks of a session end to count.
func (s *session) until() int64 {
	if s.next == never {
		return never
	}
	return s.next + int64(tick)
}

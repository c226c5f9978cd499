package check

import "github.com/watermill-rueidis/redisstream/tests/chaos/history"

// What faults may do, by what the README says of them. Each function returns the
// reason, or nothing if there is none.

// mayHaveLost says why a hand-out may have gone to others by a time though its
// handler had not settled it.
func (s *story) mayHaveLost(h *handOut, at int64) string {
	since, sub := h.at(), h.subscription
	g := s.options.group(h.course.audience)
	switch {
	case sub.process.cutOff(since-s.o.minIdle/3, at, s.o.leaseMargin):
		return "its process was paused or cut off"
	case sub.closing != never && at >= sub.closing+s.o.closeGrace:
		return "its subscription was ending for too long"
	case g.MaxLease > 0 && at >= since+int64(g.MaxLease):
		return "its lease has expired"
	case s.flushed(since-s.o.recovery, at):
		return "everything was removed"
	case s.clockJumped(since, at):
		return "the server's clock jumped"
	}
	return s.lostWithGroup(h, at)
}

// lostWithGroup says whether a hand-out took place shortly before its group was
// destroyed, or when those who had to restore it did not know of it yet.
func (s *story) lostWithGroup(h *handOut, at int64) string {
	for _, e := range s.destroyed[h.course.audience] {
		if e.At <= at && h.at() >= s.forgottenSince(h.course.audience, e.At) && h.at() <= e.At+s.o.minIdle/3+s.o.recovery {
			return "its group was destroyed"
		}
	}
	return ""
}

// forgottenSince is from when on what happened in a group may be lost with it. A
// group that nobody was there to restore begins where its first member is told to.
func (s *story) forgottenSince(a audience, destroyed int64) int64 {
	from, alive := destroyed-s.o.groupLoss, false
	for changed := true; changed; { // members that could not look have seen it earlier
		changed = false
		for _, sub := range s.subscriptions {
			if sub.audience != a || sub.ended < from || sub.since > destroyed {
				continue
			}
			for _, t := range sub.process.troubles {
				if t.overlaps(from, destroyed) && t.from-s.o.groupLoss < from {
					from, changed = t.from-s.o.groupLoss, true
				}
			}
		}
	}
	for _, sub := range s.subscriptions {
		alive = alive || sub.audience == a && s.wasWell(sub, destroyed-s.o.groupLoss, destroyed+s.o.ackTime)
	}
	if !alive {
		return 0
	}
	return from
}

// wasWell reports whether a subscription worked all the time between two times.
func (s *story) wasWell(sub *subscription, from, to int64) bool {
	return sub.since <= from && sub.closing > to && sub.ended > to && !sub.process.inTrouble(from, to)
}

func (s *story) clockJumped(from, to int64) bool {
	for _, c := range s.clocks {
		if c.overlaps(from-s.o.minIdle, to) {
			return true
		}
	}
	return false
}

// mayBeUnknown says why the server may not know, by a time, what a handler said of
// a message: its process died, or was silent for too long, before the answer to
// the ack was there.
func (s *story) mayBeUnknown(h *handOut, at int64) string {
	said, p := h.settledBy(), h.process()
	if why := s.mayHaveLost(h, said); why != "" {
		return why + " before it was settled"
	}
	until := s.confirmed(h, at)
	switch {
	case h.subscription.channel.Kind == "" && p.died <= until && p.died <= at:
		return "its process died before the answer"
	case p.cutOff(said, min(until, at), s.o.leaseMargin):
		return "its process was silent before the answer"
	case h.subscription.ended <= until && h.subscription.ended <= at && p.inTrouble(said, until):
		return "its subscription ended without the answer"
	case s.clockJumped(said, min(until, at)) || s.flushed(said-s.o.recovery, min(until, at)):
		return "the server had another clock, or lost everything"
	}
	return s.lostWithGroup(h, at)
}

// confirmed is when the answer to an ack must be there, as far as troubles until a
// time have not put it off.
func (s *story) confirmed(h *handOut, at int64) int64 {
	said := h.settledBy()
	until := said + s.o.ackTime
	for _, t := range h.process().troubles { // in the order of time
		if t.overlaps(said, until) && t.from <= at {
			until = max(until, t.to+s.o.recovery)
		}
	}
	return until
}

// wroteLate reports whether a hand-out may have taken place before something else
// that was written earlier: its process got a message, and was stopped before it
// could say so. There are no more of those than were not in hand when it stopped.
func (s *story) wroteLate(h *handOut, something int64) bool {
	pause, ok := h.process().lastPause(h.at(), s.o.leaseMargin)
	if !ok || something < pause.from || h.at()-pause.to > s.o.slack {
		return false
	}
	taken := 0
	for _, other := range h.subscription.handOuts {
		inHand := other.at() < pause.from && other.ended > pause.from
		written := other.at() >= pause.to && other.at() < h.at()
		if inHand || written {
			taken++
		}
	}
	return taken < s.options.group(h.course.audience).MaxInFlight
}

// isOver reports whether a hand-out ended the matter for its group, as far as its
// handler could: with an ack, or by giving it up.
func (s *story) isOver(h *handOut) bool {
	most := int64(s.options.group(h.course.audience).MaxDeliveries)
	switch h.outcome.Kind {
	case history.Acking, history.Dropping, history.Rejecting:
		return true
	case history.Nacking, history.Postponing:
		return most > 0 && h.delivered.Deliveries >= most
	default:
		return false
	}
}

package check

import "github.com/watermill-rueidis/redisstream/tests/chaos/history"

// fanOutOrder holds that a subscription without a group, which has one message at a
// time, gets entries in the order of the stream. A flush starts another stream.
func fanOutOrder(s *story, r *Report) {
	for _, sub := range s.subscriptions {
		if sub.audience.group != "" || s.options.group(sub.audience).MaxInFlight != 1 {
			continue
		}
		s.ascending(r, "fan-out order", sub, func(before, h *handOut) bool {
			return s.flushed(before.at()-s.o.recovery, h.at())
		})
	}
}

// ascending reports first deliveries of a subscription behind those of later
// entries, unless they are excused.
func (s *story) ascending(r *Report, rule string, sub *subscription, excused func(before, h *handOut) bool) {
	var greatest *handOut
	for _, h := range sub.handOuts {
		if h != h.course.handOuts[0] {
			continue
		}
		r.checked(rule)
		switch {
		case greatest == nil || less(greatest.course.entry, h.course.entry):
			greatest = h
		case excused(greatest, h):
			r.excused(rule)
			greatest = h
		default:
			r.broken(rule, h.course, "delivered for the first time after a later entry", greatest.delivered, h.delivered)
		}
	}
}

// fanOutGaps holds that a subscription without a group misses nothing that
// was published after Subscribe had returned, up to the last entry that it got, or
// altogether if it lived until everything had to be there. What is no longer in the stream at
// the end is not looked at, nor is what is for one group alone.
func fanOutGaps(s *story, r *Report) {
	for _, sub := range s.subscriptions {
		if sub.audience.group != "" {
			continue
		}
		got, last := map[string]bool{}, ""
		for _, h := range sub.handOuts {
			got[h.course.entry] = true
			if less(last, h.course.entry) {
				last = h.course.entry
			}
		}
		for _, e := range s.inStream {
			p, known := s.publishing[e.UUID]
			if e.Topic != sub.audience.topic || !known || p.At < sub.since || s.isCopy(e) {
				continue
			}
			r.checked("fan-out gaps")
			if !got[e.Entry] && (less(e.Entry, last) || s.hadToCome(sub, p)) {
				r.broken("fan-out gaps", &course{audience: sub.audience, entry: e.Entry, uuid: e.UUID},
					sub.process.name+" has missed an entry", p, e)
			}
		}
	}
}

// hadToCome reports whether a subscription lived until what was published had to be
// settled.
func (s *story) hadToCome(sub *subscription, published history.Event) bool {
	return s.quiet != never && min(sub.closing, sub.ended) >= max(s.quiet, published.At)+s.o.liveBound
}

package check

import "github.com/watermill-rueidis/redisstream/tests/chaos/history"

// nackOrder holds that a message that was nacked in its place comes again before
// any other one on the subscription, which has one at a time. Excused is a message
// that was lost meanwhile, or removed, or settled by somebody else.
func nackOrder(s *story, r *Report) {
	for _, sub := range s.subscriptions {
		g := s.options.group(sub.audience)
		if g.MaxInFlight != 1 || g.ReturnToGroup {
			continue
		}
		for i, h := range sub.handOuts[:max(len(sub.handOuts)-1, 0)] {
			again := h.outcome.Kind == history.Nacking || h.outcome.Kind == history.Postponing
			if !again || s.isOver(h) {
				continue
			}
			r.checked("nack order")
			next := sub.handOuts[i+1]
			switch {
			case next.course == h.course:
			case s.isExcusedNack(h, next.at()):
				r.excused("nack order")
			default:
				r.broken("nack order", h.course, "another message came before the nacked one", h.delivered, h.outcome, next.delivered)
			}
		}
	}
}

func (s *story) isExcusedNack(h *handOut, next int64) bool {
	if h.noticed.Kind != "" || s.wasTrimmed(h.course.audience.topic, h.course.entry) || s.mayHaveLost(h, next) != "" {
		return true
	}
	return h.course.first(func(o *handOut) bool { return o != h && s.isOver(o) && o.settledBy() <= next }) != nil
}

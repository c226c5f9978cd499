package check

import "github.com/watermill-rueidis/redisstream/tests/chaos/history"

// closeTime is what the README allows for the end of a subscription, besides
// CloseTimeout.
const closeTime = 3e9

// ends holds that the channel of a subscription ends in time after it was asked to,
// and not before. Excused is the time in which its process was stopped, and a
// process that was killed meanwhile.
func ends(s *story, r *Report) {
	for _, sub := range s.subscriptions {
		c := &course{audience: sub.audience}
		switch {
		case sub.channel.Kind != "" && sub.channel.At < sub.closing:
			r.broken("ends", c, "the channel of "+sub.process.name+" ended, and nobody had asked for it", sub.channel)
		case sub.closing == never:
		default:
			r.checked("ends")
			limit := s.closedBy(sub)
			if min(sub.ended, s.end) > limit {
				asked := history.Event{At: sub.closing, Kind: history.Closing, Process: sub.process.name}
				r.broken("ends", c, "the end of "+sub.process.name+" takes too long", asked, sub.channel)
			}
		}
	}
}

// closedBy is when a subscription has to be over.
func (s *story) closedBy(sub *subscription) int64 {
	limit := sub.closing + int64(s.options.CloseTimeout) + closeTime + s.o.slack
	for _, p := range sub.process.pauses { // in the order of time
		if p.overlaps(sub.closing, limit) && p.to != never {
			limit += p.to - max(p.from, sub.closing)
		}
	}
	return limit
}

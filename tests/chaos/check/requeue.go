package check

import (
	"fmt"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// requeue holds that a letter that was put back comes again in its group, counted
// from one, and in no other. Excused is one that was removed once more, or lost with
// its group; and a count that may be one too many.
func requeue(s *story, r *Report) {
	for _, c := range s.courses {
		for _, e := range c.requeued {
			r.checked("requeue")
			s.backAgain(r, c, e)
		}
		e := history.Event{Topic: c.audience.topic, UUID: c.uuid, Entry: c.entry}
		if len(c.handOuts) > 0 && s.isCopy(e) && !s.wasGivenUpIn(c.audience, c.uuid) {
			r.broken("requeue", c, "a message that was put back for another group has come", c.handOuts[0].delivered)
		}
	}
}

func (s *story) backAgain(r *Report, c *course, e history.Event) {
	var first *handOut
	for _, again := range s.byUUID[messageKey{c.audience, e.UUID}] {
		h := again.first(func(h *handOut) bool { return h.at() >= e.At })
		if h != nil && (first == nil || h.at() < first.at()) {
			first = h
		}
	}
	removed := s.flushed(e.At-s.o.ackTime, s.end) || s.wasTrimmed(e.Topic, e.Entry) || s.destroyedBetween(c.audience, e.At-s.o.ackTime, s.end)
	switch {
	case first == nil && removed:
		r.excused("requeue")
	case first == nil:
		r.broken("requeue", c, "has not come again after it was put back", append(c.shown(s.end), e)...)
	case first.delivered.Deliveries > 1+s.uncertain(c, first.at()):
		r.broken("requeue", c, fmt.Sprintf("counts %d deliveries when it comes again", first.delivered.Deliveries), e, first.delivered)
	}
}

// wasGivenUpIn reports whether an audience had a letter of the message put back.
func (s *story) wasGivenUpIn(a audience, uuid string) bool {
	for _, e := range s.requeued[[2]string{a.topic, uuid}] {
		if e.Group == a.group {
			return true
		}
	}
	return false
}

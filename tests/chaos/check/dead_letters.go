package check

import (
	"fmt"
	"strings"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// deadLetters holds that a group has one letter of a message at most, that there is
// a reason for it, and that it tells the number of hand-outs. A reason is a handler
// that rejected it, an entry that is no message, or as many failures as are
// allowed, of which those may be one too many that count does not know. Each hand-out
// that ended so has a letter: whether there may be two is for twice. Excused is
// another letter when the server refused to ack after it had added the first, or when
// the entry came back with a new group.
func deadLetters(s *story, r *Report) {
	for _, c := range s.courses {
		allowed := max(1, s.condemnations(c))
		for i, letter := range c.letters {
			r.checked("dead letters")
			switch {
			case i >= allowed && s.mayBeDoubled(c):
				r.excused("dead letters")
			case i >= allowed:
				r.broken("dead letters", c, "has more than one letter", append(c.shown(s.end), c.letters...)...)
			case c.uuid == "" || strings.Contains(letter.Text, "unmarshal"):
			default:
				s.reason(r, c, letter)
			}
		}
	}
}

// condemnations is how many hand-outs of the present life have given the entry up.
func (s *story) condemnations(c *course) int {
	n := 0
	for _, h := range c.upTo(s.end) {
		if s.isOver(h) && !h.done() {
			n++
		}
	}
	return n
}

func (s *story) mayBeDoubled(c *course) bool {
	begin, first := c.since(s.end), s.end
	for _, h := range c.handOuts {
		begin, first = max(begin, h.at()), min(first, h.at())
	}
	for _, refused := range s.refusals {
		if refused.overlaps(begin, s.end) {
			return true
		}
	}
	return s.destroyedBetween(c.audience, max(first, c.since(s.end)), s.end)
}

// reason reports a letter without one.
func (s *story) reason(r *Report, c *course, letter history.Event) {
	g := s.options.group(c.audience)
	handOuts := c.upTo(s.end)
	failed, rejected := s.failures(handOuts)
	extra := s.uncertain(c, s.end)
	shown := append(c.shown(s.end), letter)
	switch n := int64(len(handOuts)); {
	case letter.Deliveries > n+extra:
		r.broken("dead letters", c, fmt.Sprintf("the letter counts %d deliveries, and there were at most %d", letter.Deliveries, n+extra), shown...)
	case letter.Deliveries < n && !s.destroyedBetween(c.audience, 0, s.end) && extra == 0:
		r.broken("dead letters", c, fmt.Sprintf("the letter counts %d deliveries, and there were %d", letter.Deliveries, n), shown...)
	case rejected:
	case g.MaxDeliveries == 0 || failed+extra < int64(g.MaxDeliveries):
		r.broken("dead letters", c, fmt.Sprintf("given up after %d failures of %d", failed, g.MaxDeliveries), shown...)
	}
}

// failures counts hand-outs that were not acked, for sure.
func (s *story) failures(handOuts []*handOut) (failed int64, rejected bool) {
	for _, h := range handOuts {
		rejected = rejected || h.outcome.Kind == history.Rejecting
		if !h.done() || s.mayBeUnknown(h, s.end) != "" {
			failed++
		}
	}
	return failed, rejected
}

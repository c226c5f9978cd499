package check

import (
	"fmt"
	"strings"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// leftBehind holds that a subscription leaves no consumer in its group. Excused are
// as many as were killed, or ended when the server may not have answered; and those
// that hold what was given back, which are nobody's.
func leftBehind(s *story, r *Report) {
	there := map[audience][]history.Event{}
	for _, e := range s.consumers {
		if !strings.HasPrefix(e.Target, "~") {
			there[audienceOf(e)] = append(there[audienceOf(e)], e)
		}
	}
	for _, g := range s.options.Groups {
		a := audience{topic: g.Topic, group: g.Name}
		if g.Name == "" || s.quiet == never {
			continue
		}
		r.checked("left behind")
		abrupt := 0
		for _, sub := range s.subscriptions {
			if sub.audience == a && (sub.ended == never || sub.abrupt(s.end, s.o.recovery)) {
				abrupt++
			}
		}
		if n := len(there[a]); n > abrupt {
			r.broken("left behind", &course{audience: a}, fmt.Sprintf("%d consumers are left, and %d may be", n, abrupt), there[a]...)
		}
	}
}

package check

import (
	"fmt"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// epochs holds that an epoch of a partition belongs to one process, is not used before it was
// granted, and not to hand out anything after a newer one was granted. Excused is what a process
// hands out that was stopped, or got no time, just before that: the pause fell between the look at
// its right and the hand-out. One look lets one message out, so of each pause there is no more of
// that than may be in flight. To be cut off excuses nothing.
func epochs(s *story, r *Report) {
	for partition, list := range s.byEpoch {
		for i, x := range list {
			r.checked("epochs")
			if len(x.handOuts) == 0 {
				continue
			}
			first := x.handOuts[0]
			if i > 0 && list[i-1].epoch == x.epoch {
				r.broken("epochs", fmt.Sprintf("two processes have epoch %d of partition %d", x.epoch, partition),
					append(deliveries(list[i-1]), first.delivered)...)
			}
			if !x.seen {
				r.broken("epochs", fmt.Sprintf("epoch %d of partition %d was never granted", x.epoch, partition), first.delivered)
			}
			if first.at() < x.granted-int64(tick) {
				r.broken("epochs", fmt.Sprintf("epoch %d of partition %d is used before it was granted", x.epoch, partition), first.delivered)
			}
			s.stale(x, r)
		}
	}
}

// stale looks at what a session hands out after its end.
func (s *story) stale(x *session, r *Report) {
	seen := map[int64]int{}
	for _, h := range x.handOuts {
		if h.at() <= x.until() {
			continue
		}
		late := time.Duration(h.at() - x.next).Round(time.Millisecond)
		pause, ok := h.process.awayAt(h.at())
		seen[pause.from]++
		if ok && seen[pause.from] <= s.maxInFlight(h.process.name) {
			r.excused("epochs", "handed out by who was away")
			continue
		}
		text := fmt.Sprintf("epoch %d of partition %d hands out %v after the next one was granted", x.epoch, x.partition, late)
		if h.process.isCut(h.at()) {
			text += ", and is cut off"
		}
		r.broken("epochs", text, h.delivered)
	}
}

func deliveries(x *session) []history.Event {
	var out []history.Event
	for _, h := range x.handOuts {
		out = append(out, h.delivered)
	}
	return out
}

// isCut reports whether something is wrong with a process' line.
func (p *process) isCut(at int64) bool {
	for _, c := range p.cut {
		if c.overlaps(at, at) {
			return true
		}
	}
	return false
}

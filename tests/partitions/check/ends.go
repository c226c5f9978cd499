package check

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// closeTime is what the end of a subscription may take besides CloseTimeout.
const closeTime = 3 * time.Second

// ends holds that the channel of a subscription ends in time after it was asked to, and not
// before. Excused is the time in which its process was stopped or got no time, and a process
// that was killed meanwhile.
func ends(s *story, r *Report) {
	for _, name := range slices.Sorted(maps.Keys(s.processes)) {
		p := s.processes[name]
		if p.subscribed == never || p.channel == never && p.closing == never {
			continue
		}
		r.checked("ends")
		if p.closing == never || p.channel < p.closing {
			r.broken("ends", "the channel of "+name+" ended, and nobody had asked for it")
			continue
		}
		limit := p.closing + int64(s.options.CloseTimeout+closeTime+slack)
		for _, a := range p.away { // in the order of time
			if a.overlaps(p.closing, limit) && a.to != never {
				limit += a.to - max(a.from, p.closing)
			}
		}
		if min(p.channel, p.gone, s.end) > limit {
			took := time.Duration(min(p.channel, p.gone, s.end) - p.closing).Round(time.Millisecond)
			r.broken("ends", fmt.Sprintf("the end of %s takes %v", name, took))
		}
	}
}

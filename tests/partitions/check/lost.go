package check

import (
	"fmt"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// lost holds that everything that is in the streams is acked, in time after the last fault, and
// nothing pending. Nothing is excused. What was acked by those alone who had lost the partition
// is reported by the rule "fenced".
func lost(s *story, r *Report) {
	quiet := int64(never)
	for _, e := range s.events {
		switch e.Kind {
		case history.Quiet:
			quiet = e.At
		case history.StillPending:
			r.broken("lost", "is still pending for "+e.Target, e)
		default:
		}
	}
	for _, e := range s.strangers {
		r.broken("lost", "what was handed out is not in the stream", e)
	}
	for _, key := range s.keys() {
		for _, x := range s.lanes[key] {
			r.checked("lost")
			switch why := s.settledFor(x, nil); why {
			case noDoubt:
				s.settledInTime(x, quiet, r)
			case ackedInVain:
				r.broken("fenced", describe(x)+" "+string(why)+", and did not come again", eventsOf(x)...)
			default:
				r.broken("lost", describe(x)+" "+string(why), eventsOf(x)...)
			}
		}
	}
}

func (s *story) settledInTime(x *entry, quiet int64, r *Report) {
	last := x.handOuts[len(x.handOuts)-1]
	if quiet != never && last.at() > quiet+int64(s.options.LiveBound) {
		late := time.Duration(last.at() - quiet).Round(time.Millisecond)
		r.broken("live", fmt.Sprintf("%s was handed out %v after the last fault", describe(x), late), eventsOf(x)...)
	}
}

func describe(x *entry) string {
	return fmt.Sprintf("%s (entry %s of partition %d)", x.uuid, x.id, x.partition)
}

// eventsOf are all that happened to an entry.
func eventsOf(x *entry) []history.Event {
	var out []history.Event
	for _, h := range x.handOuts {
		out = append(out, h.delivered)
		for _, e := range []history.Event{h.told, h.outcome} {
			if e.Kind != "" {
				out = append(out, e)
			}
		}
	}
	return out
}

package check

import (
	"fmt"
	"slices"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// acked holds, by what the server did and in that order, that an entry is acked only by the
// session that has the partition at that moment, after its handler has said so; and that what is
// acked is at every moment the begin of each key, and of the partition where everybody handles
// one message at a time. Nothing is excused.
func acked(s *story, r *Report) {
	owner := make([]*session, s.options.Partitions)
	lanes := newProgress(s)
	for _, e := range s.events {
		switch e.Kind {
		case task.Granted:
			x := s.session(e)
			if last := owner[e.Partition]; last != nil && last.epoch >= x.epoch {
				r.broken("epochs", "the epoch of a partition does not grow", e)
			}
			owner[e.Partition] = x
		case task.Acked:
			for _, id := range e.Entries {
				s.ackedBy(s.entries[place{e.Partition, id}], owner[e.Partition], e, r)
			}
			lanes.ack(e, r)
		default:
		}
	}
}

// ackedBy looks at one ack that the server did.
func (s *story) ackedBy(x *entry, owner *session, e history.Event, r *Report) {
	r.checked("fenced")
	if x == nil || owner == nil {
		r.broken("fenced", "what is not there, or belongs to nobody, was acked", e)
		return
	}
	for _, h := range x.handOuts {
		if h.session == owner && h.isAcked() {
			return
		}
	}
	text := fmt.Sprintf("the server acked %s in epoch %d, and no handler of that has", describe(x), owner.epoch)
	r.broken("fenced", text, eventsOf(x)...)
}

// progress is what is acked of each lane.
type progress struct {
	story   *story
	lanes   map[*entry][]*lane
	isAcked map[*entry]bool
}

// lane are entries in the order of the stream, of which the first few are acked.
type lane struct {
	name    string
	entries []*entry
	done    int
}

func newProgress(s *story) *progress {
	p := &progress{story: s, lanes: map[*entry][]*lane{}, isAcked: map[*entry]bool{}}
	for key, entries := range s.lanes {
		p.add(&lane{name: "key " + key, entries: entries})
	}
	if s.strict() {
		for i, entries := range s.partitions() {
			p.add(&lane{name: fmt.Sprintf("partition %d", i), entries: entries})
		}
	}
	return p
}

func (p *progress) add(l *lane) {
	for _, x := range l.entries {
		p.lanes[x] = append(p.lanes[x], l)
	}
}

// ack looks at the lanes of what was acked in one step.
func (p *progress) ack(e history.Event, r *Report) {
	for _, id := range e.Entries {
		p.isAcked[p.story.entries[place{e.Partition, id}]] = true
	}
	for _, id := range e.Entries {
		x := p.story.entries[place{e.Partition, id}]
		for _, l := range p.lanes[x] {
			r.checked("prefix")
			l.advance(p.isAcked)
			if i := slices.Index(l.entries, x); i >= l.done {
				text := fmt.Sprintf("%s: the server acked %s, and %s is not acked", l.name, describe(x), describe(l.entries[l.done]))
				r.broken("prefix", text, append(eventsOf(l.entries[l.done]), e)...)
			}
		}
	}
}

func (l *lane) advance(isAcked map[*entry]bool) {
	for l.done < len(l.entries) && isAcked[l.entries[l.done]] {
		l.done++
	}
}

package check

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// Uneven says what is wrong with a division of the partitions among processes that live: each
// has to have an owner that lives and says so, and the shares differ by one at most. shares are
// what the processes say of themselves, in the form of the library.
func Uneven(living, owners []string, shares map[string][]string) string {
	count := map[string]int{}
	for p, owner := range owners {
		switch {
		case owner == "":
			return fmt.Sprintf("partition %d has no owner", p)
		case !slices.Contains(living, owner):
			return fmt.Sprintf("partition %d belongs to %s, which does not live", p, owner)
		case !says(shares[owner], p):
			return fmt.Sprintf("%s does not say that it has partition %d", owner, p)
		}
		count[owner]++
	}
	for name := range shares {
		if !slices.Contains(living, name) {
			return name + " is a member, and does not live"
		}
	}
	least, most := len(owners), 0
	for _, name := range living {
		least, most = min(least, count[name]), max(most, count[name])
	}
	if len(living) > 0 && most-least > 1 {
		return fmt.Sprintf("shares are from %d to %d", least, most)
	}
	return ""
}

// says reports whether a process says that it has a partition.
func says(share []string, partition int) bool {
	if len(share) == 0 {
		return false
	}
	owned, _, _ := strings.Cut(share[0], ";")
	return slices.Contains(strings.Split(owned, ","), strconv.Itoa(partition))
}

// look is what somebody saw who looked.
type look struct {
	history.Event
	calm   int64 // when the faults were over
	owners []string
	epochs []int64
	shares map[string][]string
}

// even holds that in a time without faults the shares become even in time, and that nothing moves
// then. The time is longer if a member or the server got no time from the machine meanwhile, and
// what moves is excused by that.
func even(s *story, r *Report) {
	looks := s.looks()
	for i, l := range looks {
		r.checked("even")
		stalled := s.stalled(l.calm, l.At)
		first := i == 0 || looks[i-1].calm != l.calm
		why := Uneven(l.Entries, l.owners, l.shares)
		switch {
		case first && why != "":
			r.broken("even", fmt.Sprintf("%v after the last fault: %s", l.after(), why), s.standing(l)...)
		case first && l.At-l.calm > int64(s.options.EvenBound+slack)+stalled:
			r.broken("even", fmt.Sprintf("the shares are even only %v after the last fault", l.after()), l.Event)
		case first || why == "" && slices.Equal(l.epochs, looks[i-1].epochs):
		case stalled > int64(s.options.LeaseTTL/10):
			r.excused("even", "moved, as somebody got no time")
		default:
			r.broken("even", "partitions move though the shares were even "+why, append(s.standing(looks[i-1]), s.standing(l)...)...)
		}
	}
}

func (l *look) after() time.Duration { return time.Duration(l.At - l.calm).Round(time.Millisecond) }

// stalled is for how long together processes got no time from the machine.
func (s *story) stalled(from, to int64) (sum int64) {
	for _, p := range s.processes {
		for _, a := range p.away {
			if a.overlaps(from, to) {
				sum += min(a.to, to) - max(a.from, from)
			}
		}
	}
	return sum
}

func (s *story) looks() (looks []*look) {
	var calm int64
	for _, e := range s.events {
		if e.Kind == task.Calm {
			calm = e.At
		}
		if e.Kind == task.Look {
			looks = append(looks, &look{
				Event: e, calm: calm, shares: map[string][]string{},
				owners: make([]string, s.options.Partitions), epochs: make([]int64, s.options.Partitions),
			})
		}
		if len(looks) == 0 {
			continue
		}
		l := looks[len(looks)-1]
		switch e.Kind {
		case task.Owner:
			l.owners[e.Partition], l.epochs[e.Partition] = e.Process, e.Epoch
		case task.Share:
			l.shares[e.Process] = e.Entries
		default:
		}
	}
	return looks
}

// standing is a look as events.
func (s *story) standing(l *look) []history.Event {
	out := []history.Event{l.Event}
	for p, owner := range l.owners {
		out = append(out, history.Event{At: l.At, Kind: task.Owner, Process: owner, Partition: p, Epoch: l.epochs[p]})
	}
	for name, share := range l.shares {
		out = append(out, history.Event{At: l.At, Kind: task.Share, Process: name, Entries: share})
	}
	slices.SortStableFunc(out[1:], func(a, b history.Event) int { return cmp.Compare(a.Kind, b.Kind) })
	return out
}

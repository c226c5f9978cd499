package check

import (
	"cmp"
	"fmt"
	"slices"
)

// order holds that each session begins behind what is settled, and goes on from there without a
// gap: after an ack comes the next entry, after a nack the same one. So first deliveries are in
// order and nothing is skipped, and what is repeated is repeated up to its end. It looks at
// each key, and where everybody handles one message at a time at each partition. Nothing is
// excused: what a process that has lost its partition hands out belongs to its old session.
//
// A session that begins behind an entry which was acked by those alone who had lost the
// partition is reported by the rule "fenced".
func order(s *story, r *Report) {
	for _, key := range s.keys() {
		s.orderOf(s.lanes[key], "key "+key, r)
	}
	if s.strict() {
		for partition, lane := range s.partitions() {
			s.orderOf(lane, fmt.Sprintf("partition %d", partition), r)
		}
	}
}

// partitions are the entries of each, in the order of the stream.
func (s *story) partitions() [][]*entry {
	lanes := make([][]*entry, s.options.Partitions)
	for _, x := range s.entries {
		lanes[x.partition] = append(lanes[x.partition], x)
	}
	for _, lane := range lanes {
		slices.SortFunc(lane, func(a, b *entry) int { return compareIDs(a.id, b.id) })
	}
	return lanes
}

func (s *story) orderOf(lane []*entry, name string, r *Report) {
	index := map[*entry]int{}
	bySession := map[*session][]*handOut{}
	for i, x := range lane {
		index[x] = i
		for _, h := range x.handOuts {
			bySession[h.session] = append(bySession[h.session], h)
		}
	}
	for x, list := range bySession {
		slices.SortStableFunc(list, func(a, b *handOut) int { return cmp.Compare(a.at(), b.at()) })
		s.begin(lane[:index[list[0].entry]], x, list[0], name, r)
		for i, h := range list[1:] {
			s.follow(list[i], h, index, name, r)
		}
	}
}

// begin looks at what is before the first entry of a session.
func (s *story) begin(before []*entry, x *session, first *handOut, name string, r *Report) {
	r.checked("order")
	for _, skipped := range before {
		why := s.settledFor(skipped, x)
		rule := "order"
		switch why {
		case noDoubt:
			continue
		case ackedInVain:
			rule = "fenced"
		default:
		}
		text := fmt.Sprintf("%s: epoch %d begins with %s, but %s %s", name, x.epoch, describe(first.entry), describe(skipped), why)
		r.broken(rule, text, append(eventsOf(skipped), first.delivered)...)
		return
	}
}

// follow looks at two hand-outs of a session, one after the other. What is not settled at the
// second one is the business of the rule "exclusive".
func (s *story) follow(a, b *handOut, index map[*entry]int, name string, r *Report) {
	r.checked("order")
	step := index[b.entry] - index[a.entry]
	ok := step == 0 || step == 1
	if a.outcome.Kind != "" && a.outcome.At <= b.at() {
		ok = a.isAcked() && step == 1 || !a.isAcked() && step == 0
	}
	if !ok {
		text := fmt.Sprintf("%s: %s comes after %s in epoch %d", name, describe(b.entry), describe(a.entry), b.session.epoch)
		r.broken("order", text, a.delivered, a.outcome, b.delivered)
	}
}

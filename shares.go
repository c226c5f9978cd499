package redisstream

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// share is what a member of a partitioned topic's group says of itself.
type share struct {
	owned   []int // partitions, with those that it is about to give up
	out     []int // what it can't reach
	leaving bool  // it takes nothing more
}

// String is the form in which the members tell each other: "1,5,9", "1,5,9;7" with what
// can't be reached, and "!" in front of it when the member leaves.
func (s share) String() string {
	var b strings.Builder
	if s.leaving {
		b.WriteByte('!')
	}
	writeList(&b, s.owned)
	if len(s.out) > 0 {
		b.WriteByte(';')
		writeList(&b, s.out)
	}
	return b.String()
}

func writeList(b *strings.Builder, list []int) {
	for i, p := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(p))
	}
}

// parseShare reads what a member has written. What is none of n partitions is left out.
func parseShare(text string, n int) share {
	rest, leaving := strings.CutPrefix(text, "!")
	owned, out, _ := strings.Cut(rest, ";")
	return share{owned: parseList(owned, n), out: parseList(out, n), leaving: leaving}
}

func parseList(text string, n int) []int {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		if p, err := strconv.Atoi(part); err == nil && p >= 0 && p < n {
			list = append(list, p)
		}
	}
	return list
}

// division is who has which of a topic's partitions, or should.
type division struct {
	members []string // those who take partitions, in the order of their IDs
	shares  map[string]share
	owner   []string // by partition; "" = nobody
	load    map[string]int
}

// divide finds out who has which partitions. Where two say the same, the first one has it.
func divide(n int, shares map[string]share) *division {
	d := &division{shares: shares, owner: make([]string, n), load: map[string]int{}}
	for _, id := range slices.Sorted(maps.Keys(shares)) {
		s := shares[id]
		if !s.leaving {
			d.members = append(d.members, id)
		}
		for _, p := range s.owned {
			if d.owner[p] == "" {
				d.owner[p] = id
				d.load[id]++
			}
		}
	}
	return d
}

// targets is who should have which partitions, as an owner by partition. All members
// calculate the same from the same shares: even within one, and with the fewest moves.
func targets(n int, shares map[string]share) []string {
	d := divide(n, shares)
	for p, owner := range d.owner {
		if owner == "" {
			d.give(p)
		}
	}
	for moved := true; moved; {
		moved = d.move()
	}
	return d.owner
}

// give gives a free partition to the member that has the fewest and can reach it.
func (d *division) give(p int) {
	best := ""
	for _, id := range d.members {
		if d.reaches(id, p) && (best == "" || d.load[id] < d.load[best]) {
			best = id
		}
	}
	if best != "" {
		d.owner[p] = best
		d.load[best]++
	}
}

// move moves a partition from the fullest to the emptiest member, or to the next ones
// where these can't. It reports false when the shares are as even as can be.
func (d *division) move() bool {
	byLoad := slices.Clone(d.members)
	slices.SortStableFunc(byLoad, func(a, b string) int { return cmp.Compare(d.load[a], d.load[b]) })
	fullest := slices.Clone(byLoad)
	slices.SortStableFunc(fullest, func(a, b string) int { return cmp.Compare(d.load[b], d.load[a]) })
	for _, from := range fullest {
		for _, to := range byLoad {
			if d.load[from]-d.load[to] < 2 {
				break
			}
			if d.shift(from, to) {
				return true
			}
		}
	}
	return false
}

// shift moves the highest partition of a member that another one can reach.
func (d *division) shift(from, to string) bool {
	for p, owner := range slices.Backward(d.owner) {
		if owner == from && d.reaches(to, p) {
			d.owner[p] = to
			d.load[from]--
			d.load[to]++
			return true
		}
	}
	return false
}

func (d *division) reaches(id string, p int) bool { return !slices.Contains(d.shares[id].out, p) }

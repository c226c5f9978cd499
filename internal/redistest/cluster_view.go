package redistest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// view is what a node knows of its cluster, by node ID.
type view map[string]nodeView

// nodeView is a line of CLUSTER NODES.
type nodeView struct {
	flags  []string
	master string // of a replica; "-" = none
	slots  [][2]int
}

func parseView(list string) view {
	v := view{}
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		n := nodeView{flags: strings.Split(fields[2], ","), master: fields[3]}
		for _, text := range fields[8:] {
			first, last, isRange := strings.Cut(text, "-")
			if !isRange {
				last = first
			}
			low, errLow := strconv.Atoi(first)
			high, errHigh := strconv.Atoi(last)
			if errLow == nil && errHigh == nil { // else it is one that moves
				n.slots = append(n.slots, [2]int{low, high})
			}
		}
		v[fields[0]] = n
	}
	return v
}

// isWhole reports whether each slot has its node.
func (v view) isWhole() bool {
	owned := 0
	for _, n := range v {
		for _, r := range n.slots {
			owned += r[1] - r[0] + 1
		}
	}
	return owned == slotCount
}

// masterOf is the node that has a slot; "" = none.
func (v view) masterOf(slot int) string {
	for id, n := range v {
		if slices.ContainsFunc(n.slots, func(r [2]int) bool { return r[0] <= slot && slot <= r[1] }) {
			return id
		}
	}
	return ""
}

// replicaOf is the replica of a master that is well; "" = none.
func (v view) replicaOf(master string) string {
	for id, n := range v {
		if n.master == master && n.isWell() {
			return id
		}
	}
	return ""
}

func (n nodeView) isWell() bool {
	return !slices.ContainsFunc(n.flags, func(flag string) bool { return strings.HasPrefix(flag, "fail") || flag == "handshake" })
}

// owners is who has which slots, as a text to compare.
func (v view) owners() string {
	var list []string
	for id, n := range v {
		if len(n.slots) > 0 {
			list = append(list, fmt.Sprint(id, n.slots))
		}
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

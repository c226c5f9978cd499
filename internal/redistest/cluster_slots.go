package redistest

import (
	"strconv"
	"strings"
	"testing"
)

// MoveSlotAtOnce is [Cluster.MoveSlot] by the servers themselves, who copy the whole slot and
// then hand it over at once (Redis 8.4, Valkey 9). It reports false if they don't know how.
func (c *Cluster) MoveSlotAtOnce(tb testing.TB, key string, to *Server) bool {
	tb.Helper()
	slot := strconv.Itoa(c.Slot(tb, key))
	from := c.NodeOf(tb, key)
	if from == to {
		return true
	}
	if !knows(tb, to, "CLUSTER", "MIGRATION", "IMPORT", slot, slot) &&
		!knows(tb, from, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", c.id(to)) {
		return false
	}
	c.agree(tb, "the slot has moved", func(v view) bool { return v.masterOf(c.Slot(tb, key)) == c.id(to) })
	return true
}

// knows sends a command, and reports false if the node has none of that name.
func knows(tb testing.TB, node *Server, args ...string) bool {
	tb.Helper()
	_, err := askNode(tb, node, args...)
	if err != nil && strings.Contains(err.Error(), "unknown subcommand") {
		return false
	}
	check(tb, err)
	return true
}

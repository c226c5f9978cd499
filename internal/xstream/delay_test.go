package xstream

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dueOf are the IDs of what is due in a group.
func dueOf(tb testing.TB, g Group, count int) []string {
	tb.Helper()
	pending, err := g.Pending(tb.Context(), Due(count))
	require.NoError(tb, err)
	var out []string
	for _, p := range pending {
		out = append(out, p.ID.String())
	}
	return out
}

// delay gives entries back for later and requires that all of them went.
func delay(tb testing.TB, g Group, d time.Duration, ids ...string) {
	tb.Helper()
	n, err := g.Delay(tb.Context(), Giver{Consumer: "me"}, each(Unchanged, ids...), d)
	require.NoError(tb, err)
	require.Equal(tb, int64(len(ids)), n)
}

func TestDelayedEntryIsDueAfterItsTimeAndNotBefore(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 3)
	start := time.Now()
	delay(t, g, time.Hour, id(1))
	delay(t, g, 500*time.Millisecond, id(2))
	delay(t, g, 0, id(3))
	require.Equal(t, ids(3, 3), dueOf(t, g, 9))
	require.Eventually(t, func() bool { return len(dueOf(t, g, 9)) == 2 }, 5*time.Second, 5*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(start), 499*time.Millisecond)
	require.Equal(t, ids(2, 3), dueOf(t, g, 9))
	require.Equal(t, ids(2, 2), dueOf(t, g, 1), "no more than asked for")
	left := releasedIdle - pendingOf(t, g)[id(1)].idle
	require.InDelta(t, time.Hour, left+time.Since(start), float64(time.Second))
}

func TestDelayedEntryIsNotTakenBeforeItsTime(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 2)
	delay(t, g, time.Hour, id(1))
	delay(t, g, 0, id(2))
	due := Due(9)
	taken, err := g.Take(t.Context(), Claim{Consumer: "peer", From: Delayed, MinIdle: due.MinIdle, IDs: ids(1, 2)})
	require.NoError(t, err)
	require.Equal(t, ids(2, 2), idsOf(taken.Entries))
	require.Equal(t, map[string]string{id(1): Delayed + " 1", id(2): "peer 1"}, ownersOf(t, g))
}

func TestDelayKeepsOrSetsTheCount(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 2)
	set(t, g, "me", 0, 3, ids(1, 2)...)
	n, err := g.Delay(t.Context(), Giver{Consumer: "me"}, []Count{{id(1), Unchanged}, {id(2), 5}}, time.Minute)
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	require.Equal(t, map[string]string{id(1): Delayed + " 3", id(2): Delayed + " 5"}, ownersOf(t, g))
}

func TestDelayGivesBackOnlyItsOwn(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "other", 1, 1)
	deliver(t, g, "me", 2, 3)
	shared.Do(t, "XACK", g.Key, g.Name, id(2))
	n, err := g.Delay(t.Context(), Giver{Consumer: "me"}, each(Unchanged, ids(1, 4)...), time.Minute)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.Equal(t, map[string]string{id(1): "other 1", id(3): Delayed + " 1"}, ownersOf(t, g))
	n, err = g.Delay(t.Context(), Giver{Consumer: "me"}, each(Unchanged, id(3)), 0)
	require.NoError(t, err)
	require.Zero(t, n, "to do it again changes nothing")
	require.Empty(t, dueOf(t, g, 9))
}

// Redis takes an idle time that is greater than its clock for none at all.
func TestDelayOfAnyTime(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 3)
	delay(t, g, -time.Hour, id(1))
	delay(t, g, math.MinInt64, id(2))
	require.Equal(t, ids(1, 2), dueOf(t, g, 9), "there is no earlier than now")
	delay(t, g, math.MaxInt64, id(3))
	require.Less(t, pendingOf(t, g)[id(3)].idle, time.Minute)
}

func TestConsumerOfDelayedEntriesIsRemovedWhenItIsEmpty(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 2)
	delay(t, g, 0, id(1))
	delay(t, g, time.Hour, id(2))
	claim := Claim{Consumer: "peer", From: Delayed, IDs: ids(1, 1)}
	_, err := g.Take(t.Context(), claim)
	require.NoError(t, err)
	require.Contains(t, consumersOf(t, g), Delayed, "it still has something")
	claim.IDs = ids(2, 2)
	_, err = g.Take(t.Context(), claim)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"me", "peer"}, consumersOf(t, g))
	require.Equal(t, map[string]string{id(1): "peer 1", id(2): "peer 1"}, ownersOf(t, g))
}

func TestReservedConsumers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{Released: true, Delayed: true, "": false, "delayed": false, "~": false, Delayed + "x": false} {
		require.Equal(t, want, IsReserved(name), name)
	}
	require.NotEqual(t, Released, Delayed)
}

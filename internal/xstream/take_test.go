package xstream

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTakeKeepsCountsAndBodies(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, protocol)
			deliver(t, g, "dead", 1, 3)
			set(t, g, "dead", 60_000, 3, id(2))
			set(t, g, "dead", 60_000, 0, id(3))

			taken, err := g.Take(t.Context(), Claim{Consumer: "me", From: "dead", IDs: ids(1, 3)})
			require.NoError(t, err)
			require.Empty(t, taken.Gone)
			require.Equal(t, ids(1, 3), idsOf(taken.Entries))
			for i, count := range []int64{1, 3, 0} {
				require.Equal(t, count, taken.Entries[i].Deliveries)
				require.Equal(t, []string{"n", strconv.Itoa(i + 1)}, fieldsOf(taken.Entries[i]))
			}
			require.Equal(t, map[string]string{id(1): "me 1", id(2): "me 3", id(3): "me 0"}, ownersOf(t, g))
			for id, p := range pendingOf(t, g) {
				require.Less(t, p.idle, 30*time.Second, id)
			}
		})
	}
}

func TestTakeOnlyFromTheOwnerNamed(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "a", 1, 2)
	deliver(t, g, "b", 3, 4)
	taken, err := g.Take(t.Context(), Claim{Consumer: "me", From: "a", IDs: ids(1, 4)})
	require.NoError(t, err)
	require.Equal(t, ids(1, 2), idsOf(taken.Entries))
	require.Empty(t, taken.Gone)
	require.Equal(t, map[string]string{id(1): "me 1", id(2): "me 1", id(3): "b 1", id(4): "b 1"}, ownersOf(t, g))

	taken, err = g.Take(t.Context(), Claim{Consumer: "new", IDs: ids(1, 4)})
	require.NoError(t, err)
	require.Equal(t, ids(1, 4), idsOf(taken.Entries))
	require.Empty(t, taken.Gone)
}

func TestTakeRespectsMinIdle(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]string{"any": "", "owner": "dead"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t)
			deliver(t, g, "dead", 1, 3)
			set(t, g, "dead", 60_000, 1, id(1))
			set(t, g, "dead", 20_000, 1, id(2))
			taken, err := g.Take(t.Context(), Claim{Consumer: "me", From: from, MinIdle: 40 * time.Second, IDs: ids(1, 3)})
			require.NoError(t, err)
			require.Equal(t, ids(1, 1), idsOf(taken.Entries))
			require.Empty(t, taken.Gone)
			left := pendingOf(t, g)
			require.Equal(t, "dead", left[id(2)].consumer)
			require.Equal(t, "dead", left[id(3)].consumer)
			require.GreaterOrEqual(t, left[id(2)].idle, 20*time.Second, "a look is no sign of life")
		})
	}
}

func TestTakeOfWhatIsNotPending(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "dead", 1, 1)
	add(t, g.Stream, 2, 2) // never delivered
	require.Equal(t, int64(1), shared.Do(t, "XACK", g.Key, g.Name, id(1)))
	taken, err := g.Take(t.Context(), Claim{Consumer: "me", IDs: ids(1, 3)})
	require.NoError(t, err)
	require.Empty(t, taken.Entries)
	require.Empty(t, taken.Gone)
	require.Empty(t, pendingOf(t, g))
}

func TestTakeReportsWhatIsGone(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "dead", 1, 3)
	require.Equal(t, int64(1), shared.Do(t, "XDEL", g.Key, id(2)))
	taken, err := g.Take(t.Context(), Claim{Consumer: "me", From: "dead", IDs: ids(1, 3)})
	require.NoError(t, err)
	require.Equal(t, []string{id(1), id(3)}, idsOf(taken.Entries))
	require.Equal(t, []string{id(2)}, taken.Gone)
	require.Equal(t, map[string]string{id(1): "me 1", id(3): "me 1"}, ownersOf(t, g), "the server forgets what is gone")
}

func TestTakeRemovesTheReservedConsumerWhenItIsEmpty(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, Released, 1, 3)
	deliver(t, g, "dead", 4, 4)
	taken, err := g.Take(t.Context(), Claim{Consumer: "me", From: Released, IDs: ids(1, 2)})
	require.NoError(t, err)
	require.Len(t, taken.Entries, 2)
	require.Contains(t, consumersOf(t, g), Released, "an entry is left for it")

	taken, err = g.Take(t.Context(), Claim{Consumer: "me", From: Released, IDs: ids(1, 3)})
	require.NoError(t, err)
	require.Equal(t, ids(3, 3), idsOf(taken.Entries))
	require.NotContains(t, consumersOf(t, g), Released)

	_, err = g.Take(t.Context(), Claim{Consumer: "me", From: "dead", IDs: ids(4, 4)})
	require.NoError(t, err)
	require.Contains(t, consumersOf(t, g), "dead", "nobody else's consumer is removed")
	require.Len(t, pendingOf(t, g), 4)
}

func TestTakeRemovesTheReservedConsumerWhenAllIsGone(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, Released, 1, 1)
	shared.Do(t, "XDEL", g.Key, id(1))
	taken, err := g.Take(t.Context(), Claim{Consumer: "me", From: Released, IDs: ids(1, 1)})
	require.NoError(t, err)
	require.Equal(t, ids(1, 1), taken.Gone)
	require.NotContains(t, consumersOf(t, g), Released)
}

func TestTakeOfManyPages(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, Released, 1, 300)
	shared.Do(t, "XDEL", g.Key, id(1), id(300))
	taken, err := g.Take(t.Context(), Claim{Consumer: "me", From: Released, IDs: ids(1, 300)})
	require.NoError(t, err)
	require.Equal(t, ids(2, 299), idsOf(taken.Entries))
	require.Equal(t, []string{id(1), id(300)}, taken.Gone)
	require.Equal(t, []string{"me"}, consumersOf(t, g))

	taken, err = g.Take(t.Context(), Claim{Consumer: "me"})
	require.NoError(t, err)
	require.Empty(t, taken.Entries)
}

// What was taken over before an error is ours: nobody else will look after it.
func TestTakeReturnsWhatItKnowsAfterAnError(t *testing.T) {
	t.Parallel()
	first := array(array(array(text("1-1"), number(2), bulks("n", "1"))), bulks("2-1"), number(128))
	g := Group{Stream: Stream{Client: mock(t, first, "-ERR no\r\n"), Key: "k"}, Name: "g"}
	taken, err := g.Take(t.Context(), Claim{Consumer: "me", IDs: ids(1, 129)})
	require.Error(t, err)
	require.Equal(t, ids(1, 1), idsOf(taken.Entries))
	require.Equal(t, int64(2), taken.Entries[0].Deliveries)
	require.Equal(t, ids(2, 2), taken.Gone)
}

func TestTakeStopsWhenItHasEnough(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "dead", 1, 300)
	for _, n := range []int{200, 201, 290} {
		set(t, g, "left", 60_000, 1, id(n))
	}
	taken, err := g.Take(t.Context(), Claim{Consumer: "me", From: "left", Most: 2, IDs: ids(1, 300)})
	require.NoError(t, err)
	require.Equal(t, ids(200, 201), idsOf(taken.Entries))
	require.Equal(t, 201, taken.Looked)

	taken, err = g.Take(t.Context(), Claim{Consumer: "me", From: "left", Most: 2, IDs: ids(202, 300)})
	require.NoError(t, err)
	require.Equal(t, ids(290, 290), idsOf(taken.Entries))
	require.Equal(t, 99, taken.Looked)

	taken, err = g.Take(t.Context(), Claim{Consumer: "me", From: "dead", Most: 128, IDs: ids(1, 199)})
	require.NoError(t, err)
	require.Equal(t, ids(1, 128), idsOf(taken.Entries))
	require.Equal(t, 128, taken.Looked)
}

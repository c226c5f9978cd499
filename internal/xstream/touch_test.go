package xstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTouchRenews(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, protocol)
			deliver(t, g, "me", 1, 4)
			for n, count := range map[int]int{1: 1, 2: 2, 3: 3, 4: 0} {
				set(t, g, "me", 60_000, count, id(n))
			}
			counts, err := g.Touch(t.Context(), "me", []Count{{id(1), Unchanged}, {id(2), 3}, {id(3), 2}, {id(4), 0}})
			require.NoError(t, err)
			require.Equal(t, []int64{1, 3, 2, 0}, counts)
			require.Equal(t, map[string]string{id(1): "me 1", id(2): "me 3", id(3): "me 2", id(4): "me 0"}, ownersOf(t, g))
			for id, p := range pendingOf(t, g) {
				require.Less(t, p.idle, 30*time.Second, id)
			}
		})
	}
}

func TestTouchLeavesAloneWhatIsNotMine(t *testing.T) {
	t.Parallel()
	for deliveries, want := range map[int64]int64{Unchanged: 1, 0: 0, 2: 2} {
		g := newGroup(t)
		deliver(t, g, "other", 1, 1)
		deliver(t, g, "me", 2, 3)
		add(t, g.Stream, 4, 4) // never delivered
		set(t, g, "other", 60_000, 2, id(1))
		shared.Do(t, "XACK", g.Key, g.Name, id(2))
		counts, err := g.Touch(t.Context(), "me", each(deliveries, ids(1, 5)...))
		require.NoError(t, err)
		require.Equal(t, []int64{NotMine, NotMine, want, NotMine, NotMine}, counts)
		pending := pendingOf(t, g)
		require.Len(t, pending, 2, "nothing becomes pending that was not")
		require.Equal(t, "other", pending[id(1)].consumer)
		require.Equal(t, int64(2), pending[id(1)].count)
		require.GreaterOrEqual(t, pending[id(1)].idle, 60*time.Second)
	}
}

func TestTouchReportsWhatIsGone(t *testing.T) {
	t.Parallel()
	for deliveries, left := range map[int64]int64{Unchanged: 1, 0: 0, 2: 2} {
		g := newGroup(t)
		deliver(t, g, "me", 1, 4)
		shared.Do(t, "XDEL", g.Key, id(1), id(3))
		counts, err := g.Touch(t.Context(), "me", each(deliveries, ids(1, 4)...))
		require.NoError(t, err)
		require.Equal(t, []int64{Gone, left, Gone, left}, counts)
		require.Len(t, pendingOf(t, g), 2)
	}
}

func TestTouchOfManyPages(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 300)
	set(t, g, "me", 60_000, 7, id(1), id(128), id(129), id(300))
	set(t, g, "other", 60_000, 7, id(2), id(256), id(257))
	shared.Do(t, "XDEL", g.Key, id(3), id(130), id(299))
	entries := each(Unchanged, ids(1, 300)...)
	entries[128].Deliveries = 8
	want := make([]int64, 300)
	for i := range want {
		want[i] = 1
	}
	for n, count := range map[int]int64{1: 7, 128: 7, 129: 8, 300: 7, 2: NotMine, 256: NotMine, 257: NotMine, 3: Gone, 130: Gone, 299: Gone} {
		want[n-1] = count
	}
	counts, err := g.Touch(t.Context(), "me", entries)
	require.NoError(t, err)
	require.Equal(t, want, counts)

	counts, err = g.Touch(t.Context(), "me", nil)
	require.NoError(t, err)
	require.Empty(t, counts)
}

// A renewal that only looks is no sign of life of a consumer that does not exist.
func TestTouchOfNothingMakesNoConsumer(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	counts, err := g.Touch(t.Context(), "me", each(Unchanged, "0-1"))
	require.NoError(t, err)
	require.Equal(t, []int64{NotMine}, counts)
	require.Empty(t, consumersOf(t, g))
}

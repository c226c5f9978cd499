package xstream

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRecallReturnsWhatIsPending(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t, protocol)
			deliver(t, p.Group, "p0", 1, 3)
			add(t, p.Stream, 4, 4) // never delivered
			set(t, p.Group, "p0", 60_000, 3, id(2))
			set(t, p.Group, "p0", 60_000, 0, id(3))
			r, err := own(t, p, "a").Recall(t.Context(), ID{}, 10)
			require.NoError(t, err)
			require.Equal(t, ids(1, 3), idsOf(r.Entries))
			for i, count := range []int64{1, 3, 0} {
				require.Equal(t, count, r.Entries[i].Deliveries)
				require.Equal(t, []string{"n", strconv.Itoa(i + 1)}, fieldsOf(r.Entries[i]))
			}
			require.Empty(t, r.Gone)
			require.Equal(t, ID{3, 2}, r.Next)
			require.False(t, r.More)
			require.Equal(t, map[string]string{id(1): "p0 1", id(2): "p0 3", id(3): "p0 0"}, ownersOf(t, p.Group))
			require.GreaterOrEqual(t, pendingOf(t, p.Group)[id(2)].idle, 60*time.Second, "what is the consumer's stays as it is")
			require.Equal(t, ID{3, 1}, position(t, p.Group), "and so does the group")
		})
	}
}

func position(tb testing.TB, g Group) ID {
	tb.Helper()
	id, err := g.Position(tb.Context())
	require.NoError(tb, err)
	return id
}

func TestRecallOfNothing(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	r, err := own(t, p, "a").Recall(t.Context(), ID{5, 7}, 10)
	require.NoError(t, err)
	require.Equal(t, Recalled{Gone: []string{}, Next: ID{5, 7}}, r)
	require.Empty(t, consumersOf(t, p.Group))
}

func TestRecallGoesOnFromPageToPage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ count, page int }{
		"as many as asked for":    {count: 100, page: 100},
		"one":                     {count: 0, page: 1},
		"as many as a script may": {count: 1000, page: scriptPage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t)
			last := 3*c.page - 1
			deliver(t, p.Group, "p0", 1, last)
			a := own(t, p, "a")
			from, all := ID{}, []string(nil)
			for i := range 3 {
				r, err := a.Recall(t.Context(), from, c.count)
				require.NoError(t, err)
				all = append(all, idsOf(r.Entries)...)
				if i < 2 {
					require.Len(t, r.Entries, c.page)
				}
				require.Equal(t, i < 2, r.More)
				from = r.Next
			}
			require.Equal(t, ids(1, last), all)
		})
	}
}

func TestRecallTakesWhatOthersHave(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 6)
	set(t, p.Group, Released, int(releasedIdle.Milliseconds()), 0, id(2))
	set(t, p.Group, "other", 60_000, 4, id(3), id(4))
	set(t, p.Group, Delayed, 60_000, 2, id(6))
	a := own(t, p, "a")
	r, err := a.Recall(t.Context(), ID{}, 4)
	require.NoError(t, err)
	require.Equal(t, ids(1, 4), idsOf(r.Entries))
	for i, count := range []int64{1, 0, 4, 4} {
		require.Equal(t, count, r.Entries[i].Deliveries)
	}
	require.Equal(t, map[string]string{
		id(1): "p0 1", id(2): "p0 0", id(3): "p0 4", id(4): "p0 4", id(5): "p0 1", id(6): Delayed + " 2",
	}, ownersOf(t, p.Group))
	for id, h := range pendingOf(t, p.Group) {
		require.True(t, h.consumer == Delayed || h.idle < 30*time.Second, id)
	}
	require.ElementsMatch(t, []string{"p0", "other", Delayed}, consumersOf(t, p.Group), "a reserved one is never around empty")

	_, err = a.Recall(t.Context(), r.Next, 4)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"p0", "other"}, consumersOf(t, p.Group))
}

func TestRecallLeavesAReservedConsumerThatHasMore(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, Released, 1, 2)
	r, err := own(t, p, "a").Recall(t.Context(), ID{}, 1)
	require.NoError(t, err)
	require.True(t, r.More)
	require.Equal(t, map[string]string{id(1): "p0 1", id(2): Released + " 1"}, ownersOf(t, p.Group))
}

func TestRecallForgetsWhatIsGone(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 4)
	deliver(t, p.Group, Released, 5, 6)
	shared.Do(t, "XDEL", p.Key, id(1), id(3), id(5), id(6))
	a := own(t, p, "a")
	r, err := a.Recall(t.Context(), ID{}, 4)
	require.NoError(t, err)
	require.Equal(t, []string{id(2), id(4)}, idsOf(r.Entries))
	require.Equal(t, []string{id(1), id(3)}, r.Gone)
	require.Equal(t, ID{4, 2}, r.Next)
	require.True(t, r.More)
	r, err = a.Recall(t.Context(), ID{4, 1}, 3)
	require.NoError(t, err)
	require.Equal(t, ids(4, 4), idsOf(r.Entries))
	require.Equal(t, ids(5, 6), r.Gone)
	require.Equal(t, ID{6, 2}, r.Next)
	require.True(t, r.More)
	require.Equal(t, map[string]string{id(2): "p0 1", id(4): "p0 1"}, ownersOf(t, p.Group))
	require.Equal(t, []string{"p0"}, consumersOf(t, p.Group))

	r, err = a.Recall(t.Context(), ID{}, 2)
	require.NoError(t, err)
	require.Equal(t, ID{4, 2}, r.Next)
	require.Empty(t, r.Gone)
}

func TestRecallOfHugeCounts(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "other", 1, 1)
	shared.Do(t, "XCLAIM", p.Key, "g", "other", "0", id(1), "RETRYCOUNT", "9223372036854775807", "JUSTID")
	r, err := own(t, p, "a").Recall(t.Context(), ID{}, 1)
	require.NoError(t, err)
	require.EqualValues(t, MaxDeliveries, r.Entries[0].Deliveries)
}

func TestAdoptTakesWhatOthersHaveUpToAnID(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 2)
	deliver(t, p.Group, "other", 3, 3)
	deliver(t, p.Group, "p0", 4, 4)
	deliver(t, p.Group, "other", 5, 5)
	deliver(t, p.Group, "another", 6, 7)
	_, err := p.Release(t.Context(), Giver{Consumer: "p0"}, []Count{{ID: id(1), Deliveries: 0}})
	require.NoError(t, err)
	shared.Do(t, "XDEL", p.Key, id(3))
	a := own(t, p, "a")
	var all, gone []string
	for more := true; more; {
		r, err := a.Adopt(t.Context(), ID{6, 1}, 2)
		require.NoError(t, err)
		all, gone, more = append(all, idsOf(r.Entries)...), append(gone, r.Gone...), r.More
	}
	require.ElementsMatch(t, []string{id(1), id(5), id(6)}, all)
	require.Equal(t, []string{id(3)}, gone)
	require.Equal(t, map[string]string{
		id(1): "p0 0", id(2): "p0 1", id(4): "p0 1", id(5): "p0 1", id(6): "p0 1", id(7): "another 1",
	}, ownersOf(t, p.Group))
	require.NotContains(t, consumersOf(t, p.Group), Released)
	expire(t, p)
	own(t, p, "b")
	_, err = a.Adopt(t.Context(), ID{9, 9}, 10)
	require.ErrorIs(t, err, ErrFenced)
}

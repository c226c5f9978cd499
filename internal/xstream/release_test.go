package xstream

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requireTakenAtOnce checks that anybody may take the entries at once, however
// long the group's idle time is.
func requireTakenAtOnce(t *testing.T, g Group, ids ...string) {
	t.Helper()
	pending := pendingOf(t, g)
	for _, id := range ids {
		require.Equal(t, Released, pending[id].consumer, id)
		require.GreaterOrEqual(t, pending[id].idle, 1_000_000_000*time.Second, id)
	}
	args := append([]string{"XCLAIM", g.Key, g.Name, "peer", "3600000"}, ids...)
	require.Len(t, shared.Do(t, append(args, "JUSTID")...), len(ids))
}

func TestReleaseGivesBack(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 4)
	set(t, g, "me", 0, 3, id(2), id(3))
	set(t, g, "me", 0, 0, id(4))
	n, err := g.Release(t.Context(), Giver{Consumer: "me"}, []Count{{id(1), 0}, {id(2), 2}, {id(3), Unchanged}, {id(4), 0}})
	require.NoError(t, err)
	require.Equal(t, int64(4), n)
	require.Equal(t, map[string]string{
		id(1): Released + " 0", id(2): Released + " 2", id(3): Released + " 3", id(4): Released + " 0",
	}, ownersOf(t, g))
	requireTakenAtOnce(t, g, ids(1, 4)...)
}

func TestReleaseGivesBackOnlyItsOwn(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "other", 1, 1)
	deliver(t, g, "me", 2, 4)
	add(t, g.Stream, 5, 5) // never delivered
	set(t, g, "other", 60_000, 2, id(1))
	shared.Do(t, "XACK", g.Key, g.Name, id(3))
	shared.Do(t, "XDEL", g.Key, id(4))
	_, err := g.Release(t.Context(), Giver{Consumer: "me"}, each(0, ids(1, 6)...))
	require.NoError(t, err)
	require.Equal(t, map[string]string{id(1): "other 2", id(2): Released + " 0"}, ownersOf(t, g))
	require.GreaterOrEqual(t, pendingOf(t, g)[id(1)].idle, 60*time.Second)
}

// What another group gets that has the name would be registered there once more by who
// takes it for lost with the one that it knew.
func TestReleaseGivesNothingToAGroupThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	mark := GroupMark("{"+g.Key+"}", g.Name)
	deliver(t, g, "me", 1, 3)
	release := func(known, id string) int64 {
		n, err := g.Release(t.Context(), Giver{Consumer: "me", MarkKey: mark, Mark: known}, each(0, id))
		require.NoError(t, err)
		return n
	}
	require.Equal(t, int64(1), release("ours", id(1)), "a mark expires some day, and the group stays")
	shared.Do(t, "SET", mark, "ours")
	require.Equal(t, int64(1), release("ours", id(2)))
	require.Zero(t, release("another", id(3)))
	require.Zero(t, release("", id(3)))
	require.Equal(t, map[string]string{id(1): Released + " 0", id(2): Released + " 0", id(3): "me 1"}, ownersOf(t, g))
}

func TestReleaseOfManyPages(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 300)
	n, err := g.Release(t.Context(), Giver{Consumer: "me"}, each(0, ids(1, 300)...))
	require.NoError(t, err)
	require.Equal(t, int64(300), n)
	requireTakenAtOnce(t, g, ids(1, 300)...)
	n, err = g.Release(t.Context(), Giver{Consumer: "me"}, each(0, ids(1, 300)...))
	require.NoError(t, err)
	require.Zero(t, n, "the peer has them")
}

func TestReleaseReportsWhatItReleasedBeforeAnError(t *testing.T) {
	t.Parallel()
	g := Group{Stream: Stream{Client: mock(t, number(128), "-ERR no\r\n"), Key: "k"}, Name: "g"}
	n, err := g.Release(t.Context(), Giver{Consumer: "me"}, each(0, ids(1, 129)...))
	require.Error(t, err)
	require.Equal(t, int64(128), n)
}

func TestLeaveReleasesAllAndRemovesTheConsumer(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 3)
	deliver(t, g, "other", 4, 4)
	set(t, g, "me", 0, 5, ids(1, 3)...)
	removed, err := g.Leave(t.Context(), "me", Farewell{Claimed: ids(1, 2), Unseen: -2})
	require.NoError(t, err)
	require.True(t, removed)
	require.ElementsMatch(t, []string{"other", Released}, consumersOf(t, g))
	require.Equal(t, map[string]string{
		id(1): Released + " 5", id(2): Released + " 5", id(3): Released + " 3", id(4): "other 1",
	}, ownersOf(t, g))
	requireTakenAtOnce(t, g, ids(1, 3)...)
}

func TestLeaveKeepsWhatMayBeAcked(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 3)
	removed, err := g.Leave(t.Context(), "me", Farewell{Claimed: ids(1, 1), Unsure: ids(2, 2), Unseen: -1})
	require.NoError(t, err)
	require.False(t, removed)
	require.Equal(t, map[string]string{id(1): Released + " 1", id(2): "me 1", id(3): Released + " 0"}, ownersOf(t, g))
	require.Contains(t, consumersOf(t, g), "me", "the server would forget the entry with it")

	shared.Do(t, "XACK", g.Key, g.Name, id(2)) // it had arrived
	removed, err = g.Leave(t.Context(), "me", Farewell{Unsure: ids(2, 2)})
	require.NoError(t, err)
	require.True(t, removed)
	require.NotContains(t, consumersOf(t, g), "me")
}

func TestLeaveWithNothing(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	shared.Do(t, "XGROUP", "CREATECONSUMER", g.Key, g.Name, "me")
	removed, err := g.Leave(t.Context(), "me", Farewell{Claimed: []string{"7-7"}})
	require.NoError(t, err)
	require.True(t, removed)
	require.Empty(t, consumersOf(t, g))
	require.Empty(t, pendingOf(t, g))

	removed, err = g.Leave(t.Context(), "me", Farewell{})
	require.NoError(t, err)
	require.True(t, removed, "it is not there")
}

func TestLeaveForgetsWhatIsGone(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 2)
	shared.Do(t, "XDEL", g.Key, id(1), id(2))
	removed, err := g.Leave(t.Context(), "me", Farewell{})
	require.NoError(t, err)
	require.True(t, removed)
	require.Empty(t, pendingOf(t, g))
}

// One call of the script moves a page, so that no end of a subscription stops
// the server for long; a subscription may hold many.
func TestLeaveOfManyPages(t *testing.T) {
	t.Parallel()
	for _, kept := range []int{0, 3} {
		t.Run(fmt.Sprintf("%d kept", kept), func(t *testing.T) {
			t.Parallel()
			const n = 2*leavePage + 500
			g := newGroup(t)
			deliver(t, g, "me", 1, n)
			removed, err := g.Leave(t.Context(), "me", Farewell{
				Claimed: ids(1, 2500), Unsure: ids(n-kept+1, n), Unseen: -1,
			})
			require.NoError(t, err)
			require.Equal(t, kept == 0, removed)
			owners := ownersOf(t, g)
			require.Len(t, owners, n)
			for i := range n {
				want := Released + " 0"
				switch {
				case i < 2500:
					want = Released + " 1"
				case i >= n-kept:
					want = "me 1"
				}
				require.Equal(t, want, owners[id(i+1)], strconv.Itoa(i+1))
			}
		})
	}
}

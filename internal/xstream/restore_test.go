package xstream

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// markOf is the key of a group's mark.
func markOf(t *testing.T, g Group) string {
	t.Helper()
	prefix, err := Prefix(g.Key)
	require.NoError(t, err)
	return GroupMark(prefix, g.Name)
}

func TestRestoreCreatesTheGroupAndRegistersEntries(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, protocol)
			deliver(t, g, "me", 1, 4)
			shared.Do(t, "XGROUP", "DESTROY", g.Key, g.Name)
			shared.Do(t, "XDEL", g.Key, id(2))
			restored, err := g.Restore(t.Context(), Restoration{
				Consumer: "me", Start: id(3), Mark: markOf(t, g), Token: "token",
				Entries: []Count{{id(1), 1}, {id(2), 1}, {id(3), 4}},
			})
			require.NoError(t, err)
			require.Equal(t, Restored{Mark: "token", Mine: []string{id(1), id(3)}}, restored)
			require.Equal(t, map[string]string{id(1): "me 1", id(3): "me 4"}, ownersOf(t, g), "gone is what was deleted")
			position, err := g.Position(t.Context())
			require.NoError(t, err)
			require.Equal(t, id(3), position.String(), "the group goes on where it was")

			mark, err := g.Mark(t.Context(), markOf(t, g))
			require.NoError(t, err)
			require.Equal(t, "token", mark)
			ttl := as[int64](t, shared.Do(t, "TTL", markOf(t, g)))
			require.Greater(t, ttl, int64(86000))
			require.LessOrEqual(t, ttl, int64(86400))
		})
	}
}

func TestRestoreOfAStreamThatIsGone(t *testing.T) {
	t.Parallel()
	g := Group{Stream: newStream(t, shared), Name: "g"}
	restored, err := g.Restore(t.Context(), Restoration{
		Consumer: "me", Start: "0-0", Mark: markOf(t, g), Token: "token", Entries: each(1, id(1)),
	})
	require.NoError(t, err)
	require.Equal(t, "token", restored.Mark)
	require.Empty(t, restored.Mine)
	require.Empty(t, pendingOf(t, g), "the group exists again")
}

func TestRestoreAfterSomebodyElseDid(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	add(t, g.Stream, 1, 4)
	shared.Do(t, "XGROUP", "DESTROY", g.Key, g.Name)
	_, err := g.Restore(t.Context(), Restoration{
		Consumer: "first", Start: id(4), Mark: markOf(t, g), Token: "first", Entries: each(2, id(1), id(2)),
	})
	require.NoError(t, err)
	restored, err := g.Restore(t.Context(), Restoration{
		Consumer: "second", Start: "0-0", Mark: markOf(t, g), Token: "second", Entries: each(3, id(2), id(3)),
	})
	require.NoError(t, err)
	require.Equal(t, Restored{Mark: "first", Mine: []string{id(3)}, Theirs: []string{id(2)}}, restored, "the entry of another stays there")
	require.Equal(t, map[string]string{id(1): "first 2", id(2): "first 2", id(3): "second 3"}, ownersOf(t, g))
	position, err := g.Position(t.Context())
	require.NoError(t, err)
	require.Equal(t, id(4), position.String(), "the group stays where it is")
	require.Equal(t, "first", shared.Do(t, "GET", markOf(t, g)))

	restored, err = g.Restore(t.Context(), Restoration{
		Consumer: "second", Start: "0-0", Mark: markOf(t, g), Token: "again", Entries: each(5, id(3)),
	})
	require.NoError(t, err)
	require.Equal(t, []string{id(3)}, restored.Mine, "what is ours is ours again")
	require.Equal(t, "second 5", ownersOf(t, g)[id(3)])
}

// Others have dealt with what somebody knew of long ago.
func TestStaleKnowledgeIsOfUseOnlyToWhoCreatesTheGroup(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	add(t, g.Stream, 1, 2)
	shared.Do(t, "XGROUP", "DESTROY", g.Key, g.Name)
	r := Restoration{Consumer: "first", Start: id(2), Mark: markOf(t, g), Token: "first", Unheld: each(1, id(1)), Stale: true}
	_, err := g.Restore(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, map[string]string{id(1): Released + " 1"}, ownersOf(t, g))

	r.Consumer, r.Token, r.Unheld = "second", "second", each(1, id(2))
	_, err = g.Restore(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, map[string]string{id(1): Released + " 1"}, ownersOf(t, g))
}

func TestRestoreOfAGroupWithoutAMark(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	restored, err := g.Restore(t.Context(), Restoration{Consumer: "me", Start: "0-0", Mark: markOf(t, g), Token: "token"})
	require.NoError(t, err)
	require.Equal(t, Restored{}, restored)
	mark, err := g.Mark(t.Context(), markOf(t, g))
	require.NoError(t, err)
	require.Empty(t, mark)
}

func TestRestoreOfManyPages(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	add(t, g.Stream, 1, 300)
	shared.Do(t, "XGROUP", "DESTROY", g.Key, g.Name)
	var entries []Count
	for n := range 300 {
		entries = append(entries, Count{id(n + 1), int64(n)})
	}
	restored, err := g.Restore(t.Context(), Restoration{Consumer: "me", Start: id(300), Mark: markOf(t, g), Token: "token", Entries: entries})
	require.NoError(t, err)
	require.Equal(t, Restored{Mark: "token", Mine: ids(1, 300)}, restored)
	owners := ownersOf(t, g)
	for n := range 300 {
		require.Equal(t, "me "+strconv.Itoa(n), owners[id(n+1)])
	}
}

func TestRestoreWhereNoGroupCanBe(t *testing.T) {
	t.Parallel()
	g := Group{Stream: newStream(t, shared), Name: "g"}
	shared.Do(t, "SET", g.Key, "no stream")
	_, err := g.Restore(t.Context(), Restoration{Consumer: "me", Start: "0-0", Mark: markOf(t, g), Token: "token"})
	require.ErrorContains(t, err, "WRONGTYPE")
	require.Equal(t, Refused, Classify(err))
}

package xstream

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRangeListsAPage(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, shared, protocol)
			none, err := s.Range(t.Context(), ID{}, 9)
			require.NoError(t, err)
			require.Empty(t, none, "there is no such stream")
			add(t, s, 1, 5)
			for _, c := range []struct {
				from, count int
				want        []string
			}{{0, 9, ids(1, 5)}, {0, 2, ids(1, 2)}, {3, 2, ids(3, 4)}, {5, 9, ids(5, 5)}, {6, 9, nil}, {2, 0, ids(2, 2)}, {2, -1, ids(2, 2)}} {
				from, err := ParseID(strconv.Itoa(c.from) + "-0")
				require.NoError(t, err)
				page, err := s.Range(t.Context(), from, c.count)
				require.NoError(t, err)
				require.Equal(t, c.want, idsOf(page), "%+v", c)
				for _, e := range page {
					require.Equal(t, []string{"n", strconv.FormatUint(uint64(e.ID.Time().UnixMilli()), 10)}, fieldsOf(e))
				}
			}
		})
	}
}

func TestDeleteSaysHowManyThereWere(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	add(t, s, 1, 3)
	n, err := s.Delete(t.Context(), []string{id(1), id(3), id(7)})
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	left, err := s.Range(t.Context(), ID{}, 9)
	require.NoError(t, err)
	require.Equal(t, ids(2, 2), idsOf(left))
}

func TestLenOfAStream(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	n, err := s.Len(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	add(t, s, 1, 3)
	n, err = s.Len(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(3), n)
	shared.Do(t, "SET", s.Key+"x", "no stream")
	wrong := Stream{Client: s.Client, Key: s.Key + "x"}
	_, err = wrong.Len(t.Context())
	require.ErrorContains(t, err, "WRONGTYPE")
	_, err = wrong.Range(t.Context(), ID{}, 9)
	require.ErrorContains(t, err, "WRONGTYPE")
	_, err = wrong.Delete(t.Context(), ids(1, 1))
	require.ErrorContains(t, err, "WRONGTYPE")
}

// SameSlot must not promise what a cluster refuses; what has one slot by chance it
// may not know.
func TestSameSlotIsThatOfTheServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"{x}:dead", "{x}", true},
		{"{x}:dead", "x", true},
		{"a{x}b", "c{x}d", true},
		{"x", "x", true},
		{"x", "y", false},
		{"{x", "x", false},
		{"x}", "x", false},
		{"{}x", "x", false},
		{"{}x", "{}y", false},
		{"{}{x}", "x", false},
		{"{x}{y}", "y", false},
		{"{x}{y}", "x", true},
		{"", "{x}", false},
	} {
		require.Equal(t, c.want, SameSlot(c.a, c.b), "%q %q", c.a, c.b)
		require.Equal(t, c.want, SameSlot(c.b, c.a), "%q %q", c.b, c.a)
		require.Equal(t, c.want, slot(c.a) == slot(c.b), "%q %q on a server", c.a, c.b)
	}
}

func TestBuryKeepsAboutSoManyLetters(t *testing.T) {
	t.Parallel()
	const letters = 500
	for name, c := range map[string]struct {
		most           int64
		atLeast, other int64
	}{"all": {0, letters, letters}, "some": {100, 100, 250}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t)
			deliver(t, g, "me", 1, letters)
			dead := DeadLetters("{"+g.Key+"}", g.Name)
			for _, id := range ids(1, letters) {
				moved, err := g.Bury(t.Context(), Burial{Dead: dead, MaxLen: c.most, Consumer: "me", ID: id, Fields: []string{"id", id}})
				require.NoError(t, err)
				require.True(t, moved)
			}
			kept, err := Stream{Client: g.Client, Key: dead}.Range(t.Context(), ID{}, letters)
			require.NoError(t, err)
			require.GreaterOrEqual(t, int64(len(kept)), c.atLeast)
			require.LessOrEqual(t, int64(len(kept)), c.other)
			require.Equal(t, []string{"id", id(letters)}, fieldsOf(kept[len(kept)-1]), "the oldest are dropped")
		})
	}
}

// What is too long for a script is trimmed as well.
func TestBuryKeepsAboutSoManyLongLetters(t *testing.T) {
	t.Parallel()
	const letters, most = 6, 2
	g := newGroup(t)
	deliver(t, g, "me", 1, letters)
	fields := make([]string, 10_000)
	for i := range fields {
		fields[i] = strconv.Itoa(i)
	}
	dead := Stream{Client: g.Client, Key: DeadLetters("{"+g.Key+"}", g.Name)}
	for _, id := range ids(1, letters) {
		fields[1] = id
		moved, err := g.Bury(t.Context(), Burial{Dead: dead.Key, MaxLen: most, Consumer: "me", ID: id, Fields: fields})
		require.NoError(t, err)
		require.True(t, moved)
	}
	kept, err := dead.Range(t.Context(), ID{}, letters)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(kept), most)
	require.Less(t, len(kept), letters)
	require.Equal(t, id(letters), fieldsOf(kept[len(kept)-1])[1])
}

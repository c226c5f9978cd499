package xstream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// leftIn are the leftovers of one stream.
func leftIn(tb testing.TB, s Stream) []Leftover {
	tb.Helper()
	left, err := Leftovers(tb.Context(), s.Client, []string{s.Key})
	require.NoError(tb, err)
	for i := range left {
		require.Equal(tb, s.Key, left[i].Stream)
		left[i].Stream, left[i].position = "", ""
	}
	return left
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, shared, protocol)
			require.Empty(t, leftIn(t, s), "there is no stream")
			add(t, s, 1, 5)
			require.Empty(t, leftIn(t, s), "there is no group")
			g := Group{Stream: s, Name: "g"}
			require.NoError(t, g.Create(t.Context(), "0"))
			require.NoError(t, Group{Stream: s, Name: "new"}.Create(t.Context(), "$"))
			require.Equal(t, []Leftover{{Group: "g", Unread: 5}}, leftIn(t, s))
			shared.Do(t, "XREADGROUP", "GROUP", "g", "c", "COUNT", "2", "STREAMS", s.Key, ">")
			require.Equal(t, []Leftover{{Group: "g", Pending: 2, Unread: 3}}, leftIn(t, s))
			shared.Do(t, "XREADGROUP", "GROUP", "g", "c", "STREAMS", s.Key, ">")
			require.Equal(t, []Leftover{{Group: "g", Pending: 5}}, leftIn(t, s))
			_, err := g.Ack(t.Context(), ids(1, 5))
			require.NoError(t, err)
			require.Empty(t, leftIn(t, s))
			add(t, s, 6, 6)
			left := leftIn(t, s)
			require.Len(t, left, 2)
			require.Equal(t, Leftover{Group: "g", Unread: 1}, left[0])
			require.Equal(t, "new", left[1].Group)
			require.Contains(t, []int64{1, -1}, left[1].Unread, "not all servers can tell, of a group that began at the end")
		})
	}
}

// The server does not know how many are left behind what was deleted, and a group
// never gets to the ID of what was.
func TestLeftoversOfWhatWasDeleted(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	add(t, g.Stream, 1, 4)
	shared.Do(t, "XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "NOACK", "STREAMS", g.Key, ">")
	shared.Do(t, "XDEL", g.Key, id(3))
	require.Equal(t, []Leftover{{Group: "g", Unread: -1}}, leftIn(t, g.Stream))
	shared.Do(t, "XDEL", g.Key, id(2), id(4))
	require.Empty(t, leftIn(t, g.Stream))
	shared.Do(t, "XADD", g.Key, id(5), "f", "v")
	require.Len(t, leftIn(t, g.Stream), 1)
}

func TestLeftoversOfManyStreams(t *testing.T) {
	t.Parallel()
	client := shared.Client(t)
	var streams []string
	for i := range 300 { // more than go at once
		s := newStream(t, shared)
		streams = append(streams, s.Key)
		if i%100 == 50 {
			shared.Do(t, "XADD", s.Key, "1-1", "f", "v")
			shared.Do(t, "XGROUP", "CREATE", s.Key, "g", "0")
		}
	}
	left, err := Leftovers(t.Context(), client, streams)
	require.NoError(t, err)
	require.Len(t, left, 3)
	for i, l := range left {
		require.Equal(t, streams[i*100+50], l.Stream)
	}
}

func TestLeftoversOfWhatIsNoStream(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	shared.Do(t, "SET", s.Key, "no stream")
	_, err := Leftovers(t.Context(), s.Client, []string{s.Key})
	require.Equal(t, Refused, Classify(err))
	require.ErrorContains(t, err, s.Key)
}

// One without a number of what is unread, as miniredis is, counts as one that can't tell.
func TestLeftoversOfServersThatSayOtherThings(t *testing.T) {
	t.Parallel()
	stream := bulks("last-generated-id", "5-1")
	group := func(parts ...string) string { return array(bulks(parts...)) }
	for name, c := range map[string]struct {
		replies []string
		want    []Leftover
		fails   bool
	}{
		"no lag":             {[]string{group("name", "g", "pending", "0", "last-delivered-id", "1-1"), stream, array(number(1))}, []Leftover{{Group: "g", Unread: -1}}, false},
		"a wrong lag":        {[]string{group("name", "g", "pending", "0", "last-delivered-id", "1-1", "lag", "0"), stream, array(number(1))}, []Leftover{{Group: "g", Unread: -1}}, false},
		"no pending":         {[]string{group("name", "g", "last-delivered-id", "1-1"), stream, array()}, nil, true},
		"no position":        {[]string{group("name", "g", "pending", "0"), stream, array()}, nil, true},
		"no ID":              {[]string{group("name", "g", "pending", "0", "last-delivered-id", "x"), stream, array()}, nil, true},
		"no group":           {[]string{array(number(1)), stream, array()}, nil, true},
		"no last ID":         {[]string{group("name", "g", "pending", "0", "last-delivered-id", "1-1"), bulks("length", "1"), array()}, nil, true},
		"gone in between":    {[]string{group("name", "g", "pending", "0", "last-delivered-id", "1-1"), "-ERR no such key\r\n"}, nil, false},
		"nothing at the end": {[]string{group("name", "g", "pending", "0", "last-delivered-id", "1-1"), stream, hangUp}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left, err := Leftovers(t.Context(), mock(t, c.replies...), []string{"s"})
			require.Equal(t, c.fails, err != nil, "%v", err)
			for i := range left {
				left[i].Stream, left[i].position = "", ""
			}
			require.Equal(t, c.want, left)
		})
	}
}

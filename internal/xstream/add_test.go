package xstream

import (
	"fmt"
	"slices"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// additions are entries with one field each, which the server gives IDs.
func additions(n int) []Addition {
	out := make([]Addition, n)
	for i := range out {
		out[i].Fields = []string{"n", fmt.Sprint("value ", i)}
	}
	return out
}

// stored are the entries of a stream, as ID and fields.
func stored(tb testing.TB, server *redistest.Server, s Stream) []string {
	tb.Helper()
	var out []string
	for _, item := range as[[]any](tb, server.Do(tb, "XRANGE", s.Key, "-", "+")) {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

func TestAddOne(t *testing.T) {
	t.Parallel()
	for name, maxLen := range map[string]int64{"all": 0, "trimmed": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, shared)
			a := NewAdder(s.Client)
			fields := []string{"b", "1", "a", "", "b", "\r\n\x00"}
			var want []string
			for _, id := range []string{"1-1", "1-*", "7-0", "", "*"} {
				added := a.Add(t.Context(), s.Key, []Addition{{ID: id, MaxLen: maxLen, Fields: fields}})
				require.Len(t, added, 1)
				require.NoError(t, added[0].Err)
				want = append(want, fmt.Sprint([]any{added[0].ID, fields}))
			}
			require.Contains(t, want[0], "[1-1 ")
			require.Contains(t, want[1], "[1-2 ")
			require.Equal(t, want, stored(t, shared, s), "fields stay in their order")

			added := a.Add(t.Context(), s.Key, []Addition{{ID: "1-1", Fields: fields}})
			require.True(t, IsReply(added[0].Err))
			require.ErrorContains(t, added[0].Err, "equal or smaller")
			require.Empty(t, added[0].ID)
		})
	}
}

func TestAddManyInOrder(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, shared, protocol)
			var want []string
			for _, n := range []int{2, 300} {
				for i, added := range NewAdder(s.Client).Add(t.Context(), s.Key, additions(n)) {
					require.NoError(t, added.Err)
					want = append(want, fmt.Sprintf("[%s [n value %d]]", added.ID, i))
				}
			}
			require.Equal(t, want, stored(t, shared, s))
		})
	}
}

func TestAddTrims(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	entries := additions(500)
	for i := range entries {
		entries[i].MaxLen = 10
	}
	for _, added := range NewAdder(s.Client).Add(t.Context(), s.Key, entries) {
		require.NoError(t, added.Err)
	}
	n := as[int64](t, shared.Do(t, "XLEN", s.Key))
	require.GreaterOrEqual(t, n, int64(10))
	require.Less(t, n, int64(300), "about so many")
}

// An ID that is too small fails by itself: the server knows it only when it
// executes the transaction.
func TestAddFailsAloneForAnIDThatIsTooSmall(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	entries := additions(3)
	entries[0].ID, entries[1].ID, entries[2].ID = "5-1", "4-1", "6-1"
	added := NewAdder(s.Client).Add(t.Context(), s.Key, entries)
	require.Equal(t, Added{ID: "5-1"}, added[0])
	require.ErrorContains(t, added[1].Err, "equal or smaller")
	require.True(t, IsReply(added[1].Err))
	require.Empty(t, added[1].ID)
	require.Equal(t, Added{ID: "6-1"}, added[2])
}

func TestAddToWhatIsNoStream(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2} {
		s := newStream(t, shared)
		shared.Do(t, "SET", s.Key, "no stream")
		for _, added := range NewAdder(s.Client).Add(t.Context(), s.Key, additions(n)) {
			require.ErrorContains(t, added.Err, "WRONGTYPE")
			require.Equal(t, Refused, Classify(added.Err))
			require.Empty(t, added.ID)
		}
	}
}

// The transaction is all or nothing where the server refuses a command as such.
// The one that it refused has its reason, the others the end of the transaction.
func TestAddAddsNothingWhenOneIsRefused(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	entries := additions(3)
	entries[1].Fields = nil // XADD needs one
	a := NewAdder(s.Client)
	added := a.Add(t.Context(), s.Key, entries)
	require.ErrorContains(t, added[0].Err, "EXECABORT")
	require.ErrorContains(t, added[1].Err, "wrong number of arguments")
	require.ErrorContains(t, added[2].Err, "EXECABORT")
	for _, a := range added {
		require.True(t, IsReply(a.Err))
		require.Empty(t, a.ID)
	}
	require.Equal(t, int64(0), shared.Do(t, "EXISTS", s.Key))
	require.False(t, a.plain.Load())
}

func TestAddSaysThatTheServerIsFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := newStream(t, server)
	server.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1")
	for _, n := range []int{1, 3} {
		for _, added := range NewAdder(s.Client).Add(t.Context(), s.Key, additions(n)) {
			require.ErrorContains(t, added.Err, "OOM")
			require.Equal(t, Transient, Classify(added.Err))
			require.Empty(t, added.ID)
		}
	}
	server.Do(t, "CONFIG", "SET", "maxmemory", "0")
	require.Equal(t, int64(0), server.Do(t, "EXISTS", s.Key))
}

func TestAddWithoutTheRightToTransactions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do(t, "ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-multi")
	s := newStream(t, server, func(o *rueidis.ClientOption) { o.Username, o.Password = "limited", "secret" })
	a := NewAdder(s.Client)
	var want []string
	for range 3 {
		for i, added := range a.Add(t.Context(), s.Key, additions(3)) {
			require.NoError(t, added.Err)
			require.NotEmpty(t, added.ID)
			want = append(want, fmt.Sprintf("[%s [n value %d]]", added.ID, i))
		}
		require.True(t, a.plain.Load(), "the next one does not try")
	}
	require.Equal(t, want, stored(t, server, s), "each once")

	entries := additions(3)
	entries[0].ID, entries[1].ID, entries[2].ID = "9999999999999-0", "1-1", "9999999999999-*"
	added := a.Add(t.Context(), s.Key, entries)
	require.NoError(t, added[0].Err)
	require.ErrorContains(t, added[1].Err, "equal or smaller")
	require.Empty(t, added[1].ID)
	require.NoError(t, added[2].Err)
}

// Whoever has to publish again must be told that the answer was lost, even if
// the server refused one of the commands before.
func TestAddWhenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	for name, queued := range map[string]string{"queued": text("QUEUED"), "refused": "-ERR no\r\n"} {
		added := NewAdder(mock(t, text("OK"), queued, text("QUEUED"), hangUp)).Add(t.Context(), "k", additions(2))
		require.Len(t, added, 2)
		for _, a := range added {
			require.Error(t, a.Err, name)
			require.False(t, IsReply(a.Err), name)
			require.False(t, NotSent(a.Err), name)
			require.Empty(t, a.ID)
		}
	}
}

func TestAddWhenTheTransactionIsShort(t *testing.T) {
	t.Parallel()
	for _, end := range []string{array(), array(text("1-1")), array(text("1-1"), text("1-2"), text("1-3"))} {
		added := NewAdder(mock(t, text("OK"), text("QUEUED"), text("QUEUED"), end)).Add(t.Context(), "k", additions(2))
		require.Len(t, added, 2)
		for _, a := range added {
			require.ErrorIs(t, a.Err, errShort)
			require.False(t, IsReply(a.Err))
			require.Empty(t, a.ID)
		}
	}
}

// rueidis says the same of what a connection had sent when it was closed.
// The slot has moved between the entries and EXEC.
func TestAddSendsATornTransactionAgain(t *testing.T) {
	t.Parallel()
	torn := []string{text("OK"), text("QUEUED"), text("QUEUED"), "-ERR EXEC without MULTI\r\n"}
	whole := []string{text("OK"), text("QUEUED"), text("QUEUED"), bulks("1-0", "2-0")}
	added := NewAdder(mock(t, slices.Concat(torn, torn, whole)...)).Add(t.Context(), "k", additions(2))
	require.Equal(t, []Added{{ID: "1-0"}, {ID: "2-0"}}, added)
	added = NewAdder(mock(t, slices.Concat(torn, torn, torn, whole)...)).Add(t.Context(), "k", additions(2))
	for _, a := range added {
		require.ErrorContains(t, a.Err, "EXEC without MULTI")
		require.True(t, IsReply(a.Err), "it is not there")
	}
}

func TestAddWithAClosedClientMayHaveAdded(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	s.Client.Close()
	for _, n := range []int{1, 2} {
		for _, added := range NewAdder(s.Client).Add(t.Context(), s.Key, additions(n)) {
			require.ErrorIs(t, added.Err, rueidis.ErrClosing)
			require.False(t, NotSent(added.Err))
		}
	}
}

package xstream

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// edges are numbers where arithmetic goes wrong.
var edges = []uint64{0, 1, 2, 1<<32 - 1, 1 << 32, 1 << 53, math.MaxInt64 - 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64 - 1, math.MaxUint64}

// someIDs are IDs at all edges, and random ones, in no order.
func someIDs() []ID {
	var out []ID
	for _, ms := range edges {
		for _, seq := range edges {
			out = append(out, ID{ms, seq})
		}
	}
	for range 200 {
		out = append(out, ID{rand.Uint64(), rand.Uint64()}, ID{rand.Uint64N(3), rand.Uint64N(3)})
	}
	return out
}

func TestParseIDReadsWhatStringWrites(t *testing.T) {
	t.Parallel()
	for _, id := range someIDs() {
		require.Equal(t, fmt.Sprintf("%d-%d", id.Ms, id.Seq), id.String())
		parsed, err := ParseID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, parsed)
	}
	parsed, err := ParseID("1526919030474")
	require.NoError(t, err)
	require.Equal(t, ID{1526919030474, 0}, parsed)
}

func TestParseIDRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "-", "1-", "-1", "a", "1-a", "a-1", "1-2-3", "+1", "1-+1", " 1", "1 ", "1- 1", "0x1", "1_0", "1.0", "*", "1-*", "$", ">", "(1-1",
		"18446744073709551616", "1-18446744073709551616", "１-1",
	} {
		id, err := ParseID(s)
		require.ErrorContains(t, err, fmt.Sprintf("%q", s))
		require.Zero(t, id, s)
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"", "0", "1-1", "01-1", "18446744073709551615-18446744073709551615", "1-2-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		again, err := ParseID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}

func TestCompareOrdersAsTheStreamDoes(t *testing.T) {
	t.Parallel()
	all := someIDs()
	for _, a := range all {
		for _, b := range all {
			want := cmp.Compare(a.Ms, b.Ms)
			if want == 0 {
				want = cmp.Compare(a.Seq, b.Seq)
			}
			if a.Compare(b) != want || a.Less(b) != (want < 0) {
				t.Fatalf("%v, %v: Compare %d, Less %t, want %d", a, b, a.Compare(b), a.Less(b), want)
			}
		}
	}
}

func TestNextAndPrevAreNeighbours(t *testing.T) {
	t.Parallel()
	all := append(someIDs(), MaxID, ID{})
	slices.SortFunc(all, ID.Compare)
	for i, id := range all {
		next, prev := id.Next(), id.Prev()
		if id == MaxID {
			require.Equal(t, MaxID, next)
		} else {
			require.True(t, id.Less(next), id)
			require.Equal(t, id, next.Prev())
		}
		if id.IsZero() {
			require.Equal(t, ID{}, prev)
		} else {
			require.True(t, prev.Less(id), id)
			require.Equal(t, id, prev.Next())
		}
		if i > 0 && all[i-1] != id { // nothing fits between an ID and its neighbour
			require.LessOrEqual(t, all[i-1].Compare(prev), 0)
			require.GreaterOrEqual(t, id.Compare(all[i-1].Next()), 0)
		}
	}
	require.Equal(t, ID{2, 0}, ID{1, math.MaxUint64}.Next())
	require.Equal(t, ID{1, math.MaxUint64}, ID{2, 0}.Prev())
}

func TestIsZero(t *testing.T) {
	t.Parallel()
	for id, want := range map[ID]bool{{}: true, {0, 1}: false, {1, 0}: false} {
		require.Equal(t, want, id.IsZero(), id)
	}
}

func TestIDBefore(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)
	ms := uint64(at.UnixMilli())
	require.Equal(t, ID{ms - 1, math.MaxUint64}, IDBefore(at), "to the millisecond")
	require.Equal(t, ID{ms, 0}, IDBefore(at).Next(), "the first that an entry of that time can have")
	require.Equal(t, ID{0, math.MaxUint64}, IDBefore(time.UnixMilli(1)))
	for _, early := range []time.Time{{}, time.UnixMilli(0), time.UnixMilli(-1), time.Unix(0, 1)} {
		require.Zero(t, IDBefore(early), early)
	}
}

func TestTimeOfAnID(t *testing.T) {
	t.Parallel()
	require.True(t, ID{1526919030474, 55}.Time().Equal(time.UnixMilli(1526919030474)))
	require.Equal(t, time.UnixMilli(math.MaxInt64), MaxID.Time(), "and not before 1970")
}

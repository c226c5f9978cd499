package xstream

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Anybody may give an entry any delivery count, and XNACK FATAL gives it the
// greatest there is. Scripts must be able to work on.
func TestHugeDeliveryCounts(t *testing.T) {
	t.Parallel()
	for _, count := range []int64{math.MaxInt64, 1<<53 + 2, 1 << 53} {
		t.Run(strconv.FormatInt(count, 10), func(t *testing.T) {
			t.Parallel()
			g := newGroup(t)
			deliver(t, g, "dead", 1, 3)
			shared.Do(t, "XCLAIM", g.Key, "g", "dead", "0", id(2), "RETRYCOUNT", strconv.FormatInt(count, 10), "JUSTID")

			taken, err := g.Take(t.Context(), Claim{Consumer: "me", From: "dead", IDs: ids(1, 3)})
			require.NoError(t, err)
			require.Equal(t, ids(1, 3), idsOf(taken.Entries))
			require.EqualValues(t, MaxDeliveries, taken.Entries[1].Deliveries)

			for _, want := range []int64{Unchanged, MaxDeliveries, MaxDeliveries + 1} {
				counts, err := g.Touch(t.Context(), "me", []Count{{id(1), Unchanged}, {id(2), want}, {id(3), Unchanged}})
				require.NoError(t, err)
				require.EqualValues(t, MaxDeliveries, counts[1])
			}
			n, err := g.Release(t.Context(), Giver{Consumer: "me"}, each(Unchanged, id(2)))
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			gone, err := g.Leave(t.Context(), "me", Farewell{})
			require.NoError(t, err)
			require.True(t, gone)
			pending, err := g.Pending(t.Context(), PendingQuery{Count: 10})
			require.NoError(t, err)
			require.Len(t, pending, 3)
			require.EqualValues(t, MaxDeliveries, pending[1].Deliveries)
		})
	}
}

package redisstream

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// A table is a map, whatever the order in which entries come and leave.
func TestTableIsAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // to be repeated
		var tab table
		model := map[xstream.ID]*entry{}
		last := uint64(1000)
		for range 5000 {
			id := xstream.ID{Ms: random.Uint64N(last) + 1}
			if random.IntN(10) > 0 { // as it is nearly always
				last++
				id.Ms = last
			}
			require.Same(t, model[id], tab.get(id))
			if model[id] == nil {
				model[id] = entryWith(id)
				tab.put(model[id])
			}
			for len(model) > random.IntN(10+20*int(seed)) { //nolint:gosec // a small number
				left := slices.Collect(maps.Keys(model))
				id := slices.MinFunc(left, xstream.ID.Compare) // the first, as most do
				if random.IntN(3) == 0 {
					id = left[random.IntN(len(left))]
				}
				tab.remove(model[id])
				delete(model, id)
				require.Nil(t, tab.get(id))
			}
			require.Equal(t, len(model), tab.len())
		}
		for id, e := range model {
			require.Same(t, e, tab.get(id))
		}
		found := slices.Collect(tab.all())
		require.Len(t, found, len(model))
		for _, e := range found {
			require.Same(t, model[e.ID], e)
		}
	}
}

// What one entry that stays costs does not grow with what comes and goes behind it.
func TestTableForgetsWhatHasLeft(t *testing.T) {
	t.Parallel()
	var tab table
	first := entryWith(xstream.ID{Ms: 1})
	tab.put(first)
	for ms := uint64(2); ms < 10_000; ms++ {
		e := entryWith(xstream.ID{Ms: ms})
		tab.put(e)
		require.Same(t, e, tab.get(e.ID))
		tab.remove(e)
		require.LessOrEqual(t, len(tab.row), 2*fewHoles+2)
	}
	require.Same(t, first, tab.get(first.ID))
	require.Equal(t, 1, tab.len())
}

func entryWith(id xstream.ID) *entry { return &entry{Entry: xstream.Entry{ID: id}} }

package redisstream

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func TestTrailKnowsAnEntryBeforeAnyLoss(t *testing.T) {
	t.Parallel()
	const n = 1000
	var tr trail
	require.Empty(t, tr.upTo(xstream.MaxID))
	for ms := range uint64(n) {
		tr.add(xstream.ID{Ms: ms + 1})
	}
	require.Equal(t, uint64(n), tr.last.Ms)
	for lost := range uint64(300) {
		known := tr.upTo(xstream.ID{Ms: n - lost})
		require.NotEmpty(t, known, lost)
		require.LessOrEqual(t, n-lost-known[0].Ms, 2*lost, "it is from shortly before the loss of %d", lost)
	}
	require.Less(t, len(tr.upTo(xstream.MaxID)), 12)

	tr.first = xstream.ID{Ms: 1}
	require.Equal(t, []xstream.ID{{Ms: 1}}, tr.upTo(xstream.ID{Ms: 1}), "the first one counts")
	tr.cut(xstream.ID{Ms: 700})
	require.Equal(t, uint64(700), tr.last.Ms)
	require.Equal(t, tr.upTo(xstream.ID{Ms: 700}), tr.upTo(xstream.MaxID))
	tr.cut(xstream.ID{})
	require.Empty(t, tr.upTo(xstream.MaxID))
}

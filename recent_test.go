package redisstream

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func TestRecentRemembersTheLast(t *testing.T) {
	t.Parallel()
	var r recent
	require.Empty(t, r.last(3))
	for ms := uint64(1); ms <= 3*recentMost+7; ms++ {
		r.add(&xstream.Entry{ID: xstream.ID{Ms: ms}})
		n := int(min(ms, recentMost))
		require.Equal(t, ms >= recentMost, r.isFull())
		require.Len(t, r.last(recentMost), n)
		for i, s := range r.last(5) {
			require.Equal(t, ms-uint64(min(5, n))+1+uint64(i), s.id.Ms)
		}
	}
}

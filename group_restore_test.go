package redisstream

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// What a member has taken over and acked would come again with a restored group.
func TestTakenEntriesAreNoLongerUnheld(t *testing.T) {
	t.Parallel()
	m := &member{}
	seen := []xstream.Count{{ID: "1-1"}, {ID: "2-1"}, {ID: "3-1"}}
	m.sawUnheld(seen)
	known := m.knownUnheld()
	m.tookOver([]string{"2-1", "4-1"})
	require.Equal(t, []xstream.Count{{ID: "1-1"}, {ID: "3-1"}}, m.knownUnheld())
	require.Equal(t, "2-1", known[1].ID, "who restores goes on with what it has")
}

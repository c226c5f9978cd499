package redistest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClusterMovesSlotsAtOnce(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3)
	client := c.Client(t)
	for i := range 100 {
		require.NoError(t, client.Do(t.Context(), client.B().Set().Key("{k}"+strconv.Itoa(i)).Value("v").Build()).Error()) //nolint:forbidigo // see ping
	}
	from := c.NodeOf(t, "k")
	to := c.Masters(t)[0]
	if to == from {
		to = c.Masters(t)[1]
	}
	moved := c.MoveSlotAtOnce(t, "k", to)
	require.Equal(t, hasAtomicMigration(t, from), moved)
	if !moved {
		require.Equal(t, from, c.NodeOf(t, "k"))
		return
	}
	require.Equal(t, to, c.NodeOf(t, "k"))
	require.Equal(t, int64(100), to.Do(t, "DBSIZE"))
	eventually(t, "the old one has forgotten them", func() bool { return from.Do(t, "DBSIZE") == int64(0) })
	require.NoError(t, client.Do(t.Context(), client.B().Get().Key("{k}99").Build()).Error()) //nolint:forbidigo // see ping
	require.True(t, c.MoveSlotAtOnce(t, "k", to))
	require.True(t, c.MoveSlotAtOnce(t, "k", from), "and back")
}

func hasAtomicMigration(t *testing.T, s *Server) bool {
	t.Helper()
	help, _ := s.Do(t, "CLUSTER", "HELP").([]any)
	return slices.ContainsFunc(help, func(line any) bool {
		text, _ := line.(string)
		return strings.HasPrefix(text, "MIGRAT") // MIGRATION or MIGRATESLOTS
	})
}

package xstream

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Redis 8.8 can give an entry back so that nobody has it. Its XPENDING says so with no name and an
// idle time of -1.
func TestPendingOfWhatNobodyHas(t *testing.T) {
	t.Parallel()
	client := mock(t, array(
		array(text("1-1"), "$0\r\n\r\n", number(-1), number(3)),
		array(text("2-1"), text("me"), number(5), number(1)),
	))
	pending, err := Group{Stream: Stream{Client: client, Key: "k"}, Name: "g"}.Pending(t.Context(), PendingQuery{Count: 10})
	require.NoError(t, err)
	require.Len(t, pending, 2)
	require.Equal(t, Pending{ID: ID{1, 1}, Idle: math.MaxInt64, Deliveries: 3}, pending[0])
	require.Equal(t, "me", pending[1].Consumer)
}

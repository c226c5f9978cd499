package redisstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAppetite(t *testing.T) {
	t.Parallel()
	var a appetite
	require.Equal(t, 1000, a.bound(1000))
	for _, want := range []int{500, 250, 125, 62, 31, 15, 7, 3, 1, 1} {
		a.unanswered(a.bound(1000))
		require.Equal(t, want, a.bound(1000))
	}
	require.Equal(t, time.Second, a.slack, "a single entry gets more time")
	for range 10 {
		a.unanswered(1)
	}
	require.Equal(t, maxSlack, a.slack)
	require.Equal(t, 1, a.bound(1000))
	for want := 2; want <= maxRead; want *= 2 {
		a.answered()
		require.Equal(t, want, a.bound(1000))
	}
	a.answered()
	require.Equal(t, 1000, a.bound(1000))
	require.Less(t, a.slack, time.Second)
}

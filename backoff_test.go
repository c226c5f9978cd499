package redisstream

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// requireBetweenHalfAnd checks many values of something random.
func requireBetweenHalfAnd(t *testing.T, most time.Duration, value func() time.Duration) {
	t.Helper()
	seen := map[time.Duration]bool{}
	for range 100 {
		d := value()
		seen[d] = true
		require.GreaterOrEqual(t, d, most/2)
		require.LessOrEqual(t, d, most)
	}
	require.Greater(t, len(seen), 10, "it has to be random")
}

func TestRetryPauseGrowsToItsBound(t *testing.T) {
	t.Parallel()
	for failures, most := range map[int]time.Duration{
		-1: 50 * time.Millisecond, 0: 50 * time.Millisecond, 1: 50 * time.Millisecond, 2: 100 * time.Millisecond, 5: 800 * time.Millisecond,
		6: time.Second, 7: time.Second, 1000: time.Second, math.MaxInt: time.Second,
	} {
		requireBetweenHalfAnd(t, most, func() time.Duration { return retryPause(failures) })
	}
}

func TestDefaultNackBackoffGrowsToItsBound(t *testing.T) {
	t.Parallel()
	for _, attempt := range []int{math.MinInt, -1, 0, 1} {
		require.Zero(t, DefaultNackBackoff(attempt))
	}
	for attempt, most := range map[int]time.Duration{
		2: time.Millisecond, 3: 4 * time.Millisecond, 6: 256 * time.Millisecond, 7: time.Second, 8: time.Second, math.MaxInt: time.Second,
	} {
		requireBetweenHalfAnd(t, most, func() time.Duration { return DefaultNackBackoff(attempt) })
	}
}

func TestJitterOfNothing(t *testing.T) {
	t.Parallel()
	require.Zero(t, jitter(0))
	require.LessOrEqual(t, jitter(1), time.Duration(1))
}

func TestPauseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.True(t, pause(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.True(t, pause(ctx, 0))
		require.True(t, pause(ctx, -1))
		require.False(t, pause(ctx, time.Minute))
		require.Equal(t, time.Minute+time.Second, time.Since(start))
		for _, d := range []time.Duration{-1, 0, time.Minute} {
			require.False(t, pause(ctx, d), "it has ended")
		}
		require.Equal(t, time.Minute+time.Second, time.Since(start))
	})
}

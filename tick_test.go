package redisstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTicksAreAPeriodApartAndCommonToAll(t *testing.T) {
	t.Parallel()
	const period = 1500 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		first := untilTick(period)
		require.Positive(t, first)
		require.LessOrEqual(t, first, period)
		time.Sleep(first)
		require.Equal(t, period, untilTick(period))
		time.Sleep(period / 3)
		require.Equal(t, period-period/3, untilTick(period), "who comes later waits for the same one")
	})
}

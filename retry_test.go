package redisstream

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func TestRetriesAreThoseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	r := config(func(c *SubscriberConfig) {
		c.NackPolicy, c.MaxDeliveries = ReturnToGroup, 7
		c.NackBackoff = func(attempt int) time.Duration { return time.Duration(attempt) }
	}).retries()
	require.True(t, r.toGroup)
	require.Equal(t, int64(7), r.most)
	require.Equal(t, time.Duration(3), r.pause(3))
	require.False(t, config(func(*SubscriberConfig) {}).retries().toGroup)
}

// A count that does not fit into an int of 32 bits must not become a negative
// attempt.
func TestRetriesBoundTheAttemptThatABackoffIsAskedFor(t *testing.T) {
	t.Parallel()
	var got int
	r := retries{backoff: func(attempt int) time.Duration { got = attempt; return 0 }}
	for handOuts, want := range map[int64]int{1: 1, 1000: 1000, 1 << 30: 1 << 30, 1 << 31: 1 << 30, math.MaxInt64: 1 << 30} {
		r.pause(handOuts)
		require.Equal(t, want, got, handOuts)
	}
}

func TestRetriesEndAtTheLimit(t *testing.T) {
	t.Parallel()
	const huge = xstream.MaxDeliveries
	for _, c := range []struct {
		most, handOuts            int64
		exhausted, hopeless, last bool
		why                       string
	}{
		{0, 1, false, false, false, "no limit"},
		{0, 1_000_000, false, false, false, "no limit"},
		{0, huge, false, true, false, "others gave it up"},
		{1, 0, false, false, false, "never handed out"},
		{1, 1, true, false, true, "a count of 1 may be that of a read alone"},
		{1, 2, true, true, true, "nobody can have read it twice"},
		{2, 0, false, false, false, "never handed out"},
		{2, 1, false, false, true, "one is left"},
		{2, 2, true, true, true, "none is left"},
		{3, 1, false, false, false, "two are left"},
		{3, 2, false, false, true, "one is left"},
		{3, 3, true, true, true, "none is left"},
		{3, 4, true, true, true, "the limit was greater before"},
		{3, huge, true, true, true, "others gave it up"},
		{huge, huge - 2, false, false, false, "two are left"},
	} {
		r := retries{most: c.most}
		require.Equal(t, c.exhausted, r.exhausted(c.handOuts), "%+v", c)
		require.Equal(t, c.hopeless, r.hopeless(c.handOuts), "%+v", c)
		require.Equal(t, c.last, r.last(c.handOuts), "%+v", c)
	}
}

package redisstream

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func TestStartAfterID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]xstream.ID{
		"5-7": {Ms: 5, Seq: 7}, "5": {Ms: 5}, "0-0": {}, "18446744073709551615-18446744073709551615": xstream.MaxID,
	} {
		start := StartAfterID(id)
		require.Equal(t, startAfter, start.kind)
		require.Equal(t, want, start.after)
		require.NoError(t, config(func(c *SubscriberConfig) { c.Start = start }).validate())
	}
	for _, id := range []string{"", "$", "5-", "x", "-1"} {
		requireBad(t, config(func(c *SubscriberConfig) { c.Start = StartAfterID(id) }).validate(), "SubscriberConfig.Start")
	}
}

func TestStartAtTimeTakesInTheWholeMillisecond(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1526919030474).Add(999 * time.Microsecond)
	require.Equal(t, xstream.ID{Ms: 1526919030473, Seq: math.MaxUint64}, StartAtTime(at).after)
	require.Equal(t, StartPosition{kind: startAfter}, StartAtTime(time.Time{}), "from the oldest on")
}

func TestStartPositionInWords(t *testing.T) {
	t.Parallel()
	for want, start := range map[string]StartPosition{
		"default": {}, "oldest": StartOldest(), "newest": StartNewest(), "after 5-7": StartAfterID("5-7"), "x-y": StartAfterID("x-y"),
	} {
		require.Equal(t, want, start.String())
	}
}

func TestOnlyADefaultStartIsReplaced(t *testing.T) {
	t.Parallel()
	require.Equal(t, StartNewest(), StartPosition{}.or(startNewest))
	for _, start := range []StartPosition{StartOldest(), StartNewest(), StartAfterID("5-7"), StartAfterID("x"), StartAfterID("0-0")} {
		require.Equal(t, start, start.or(startNewest))
		require.Equal(t, start, start.or(startOldest))
	}
}

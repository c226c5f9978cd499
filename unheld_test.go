package redisstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func unheldCounts(ids ...string) []xstream.Count {
	var counts []xstream.Count
	for _, id := range ids {
		counts = append(counts, xstream.Count{ID: id})
	}
	return counts
}

// What a member has taken over and acked would come again with a restored group.
func TestTakenEntriesAreNoLongerUnheld(t *testing.T) {
	t.Parallel()
	var u unheld
	u.saw(unheldCounts("1-1", "2-1", "3-1"), unheldCounts("5-1", "6-1"))
	known := u.list()
	u.took([]string{"2-1", "4-1", "6-1"})
	require.Equal(t, unheldCounts("1-1", "3-1", "5-1"), u.list())
	require.Equal(t, "2-1", known[1].ID, "who restores goes on with what it has")

	u.saw(unheldCounts("2-1"), unheldCounts("5-1", "6-1"))
	require.Equal(t, unheldCounts("2-1", "5-1"), u.list(), "a sweep knows better, a former one does not")
	u.released(unheldCounts("6-1"))
	require.Equal(t, unheldCounts("2-1", "5-1", "6-1", "6-1"), u.list())
}

// A sweep may have looked before something was given back, and be noted after it.
func TestWhatIsGivenBackIsUnheldUntilASweepHasSeenIt(t *testing.T) {
	t.Parallel()
	var u unheld
	u.released(unheldCounts("1-1"))
	u.saw(nil, nil)
	require.Equal(t, unheldCounts("1-1"), u.list())
	u.saw(nil, nil)
	require.Empty(t, u.list(), "the second one came later")
}

func TestUnheldIsStaleAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var u unheld
		u.saw(nil, nil)
		time.Sleep(2 * sweepMost)
		require.False(t, u.stale())
		time.Sleep(time.Millisecond)
		require.True(t, u.stale())
	})
}

// The look before a read sees what is released and nothing else.
func TestWhatIsReleasedDoesNotReplaceWhatASweepSaw(t *testing.T) {
	t.Parallel()
	var u unheld
	u.saw(unheldCounts("1-1"), unheldCounts("2-1"))
	u.released(unheldCounts("3-1"))
	require.Equal(t, unheldCounts("1-1", "2-1", "3-1"), u.list())
}

package redisstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPaceGrowsWhileTheCallerWaits(t *testing.T) {
	t.Parallel()
	p := newPace(20)
	require.Equal(t, 1, p.want)
	for _, want := range []int{2, 4, 8, 16, 20, 20} {
		p.starved()
		require.Equal(t, want, p.want)
	}
	p.consumed()
	p.slow()
	require.Equal(t, 1, p.want)
	require.Equal(t, 1, p.target(time.Now(), 0))
	p.starved()
	require.Equal(t, 1, p.target(time.Now(), 0), "what was consumed before it was slow does not count")
}

func TestPaceIsBoundByWhatWasConsumedLately(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := newPace(maxPrefetch)
	p.want = maxPrefetch
	require.Equal(t, 1, p.target(now, 0), "nothing was consumed yet")
	for range 9 {
		p.consumed()
	}
	require.Equal(t, 10, p.target(now.Add(paceWindow/2), 0))
	require.Equal(t, 10, p.target(now.Add(paceWindow), 0), "the window before counts")
	p.consumed()
	require.Equal(t, 10, p.target(now.Add(3*paceWindow/2), 0))
	require.Equal(t, 2, p.target(now.Add(2*paceWindow), 0))
	p.consumed()
	require.Equal(t, 1, p.target(now.Add(4*paceWindow), 0), "and no older one")
	for range 10 * maxPrefetch {
		p.consumed()
	}
	require.Equal(t, maxPrefetch, p.target(now.Add(4*paceWindow), 0), "never more than wanted")
}

func TestPaceIsBoundByBytes(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{
		0: maxPrefetch, 1: maxPrefetch, maxPrefetchBytes / maxPrefetch: maxPrefetch, 100 << 10: 81, 1 << 20: 8, 1<<20 + 1: 1, 1 << 30: 1,
	} {
		now := time.Now()
		p := newPace(maxPrefetch)
		p.admitted(size)
		p.want = maxPrefetch
		p.target(now, 0)
		for range maxPrefetch {
			p.consumed()
		}
		require.Equal(t, want, p.target(now, 0), size)
	}
}

func TestPaceStartsOverAfterAHugeEntry(t *testing.T) {
	t.Parallel()
	p := newPace(maxPrefetch)
	p.want = maxPrefetch
	p.admitted(hugeEntry)
	require.Equal(t, maxPrefetch, p.want)
	p.admitted(hugeEntry + 1)
	require.Equal(t, 1, p.want)
}

func TestPaceForgetsTheSizeOfOldEntries(t *testing.T) {
	t.Parallel()
	p := newPace(maxPrefetch)
	p.admitted(64 << 10)
	p.admitted(1)
	require.Equal(t, 63<<10, p.entryMax)
	for range 1000 {
		p.admitted(10)
	}
	require.Less(t, p.entryMax, 100)
	p.admitted(2000)
	require.Equal(t, 2000, p.entryMax)
}

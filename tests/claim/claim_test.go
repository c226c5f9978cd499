package claim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// What was given back for later comes at once: it is marked by how long it has been idle, which is
// for CLAIM more than enough.
func TestClaimDoesNotWaitForWhatIsDelayed(t *testing.T) {
	t.Parallel()
	s, ok := newStage(t)
	if !ok {
		return
	}
	s.add(t, 2)
	s.read(t, "a", 2)
	_, err := s.group.Delay(t.Context(), xstream.Giver{Consumer: "a"}, []xstream.Count{{ID: "1-0", Deliveries: 1}}, time.Hour)
	require.NoError(t, err)
	due, err := s.group.Pending(t.Context(), xstream.Due(10))
	require.NoError(t, err)
	require.Empty(t, due, "for the library it is not due")
	require.Equal(t, []string{"1-0"}, s.claim(t, "b", time.Minute))
}

// What is released comes in the order in which it was released, and not in that of the stream.
func TestClaimTakesWhatIsReleasedOutOfOrder(t *testing.T) {
	t.Parallel()
	s, ok := newStage(t)
	if !ok {
		return
	}
	s.add(t, 3)
	s.read(t, "a", 3)
	for _, id := range []string{"3-0", "2-0", "1-0"} {
		_, err := s.group.Release(t.Context(), xstream.Giver{Consumer: "a"}, []xstream.Count{{ID: id, Deliveries: 0}})
		require.NoError(t, err)
		released := s.released(t)[id]
		require.Eventually(t, func() bool { return s.released(t)[id] > released }, healTime, time.Millisecond)
	}
	require.Equal(t, []string{"3-0", "2-0", "1-0"}, s.claim(t, "b", time.Minute))
}

// released has the idle times of what is released.
func (s *stage) released(t *testing.T) map[string]time.Duration {
	t.Helper()
	pending, err := s.group.Pending(t.Context(), xstream.PendingQuery{Consumer: xstream.Released, Count: 10})
	require.NoError(t, err)
	idle := map[string]time.Duration{}
	for _, p := range pending {
		idle[p.ID.String()] = p.Idle
	}
	return idle
}

// Each read that claims counts as a delivery, whether a handler sees the entry or not.
func TestClaimCountsWhatNoHandlerSaw(t *testing.T) {
	t.Parallel()
	s, ok := newStage(t)
	if !ok {
		return
	}
	s.add(t, 1)
	s.read(t, "a", 1)
	for _, consumer := range []string{"b", "c", "d"} {
		require.Equal(t, []string{"1-0"}, s.claim(t, consumer, 0))
	}
	require.Equal(t, map[string]int64{"1-0": 4}, s.counts(t))
}

// An entry that is gone from the stream is passed over, and stays pending for ever. The library's
// look at silent consumers finds it, says so, and has it forgotten.
func TestClaimLeavesTrimmedEntriesPending(t *testing.T) {
	t.Parallel()
	s, ok := newStage(t)
	if !ok {
		return
	}
	s.add(t, 2)
	s.read(t, "a", 2)
	s.server.Do(t, "XDEL", stream, "1-0")
	require.Equal(t, []string{"2-0"}, s.claim(t, "b", 0))
	require.Contains(t, s.counts(t), "1-0")
	taken, err := s.group.Take(t.Context(), xstream.Claim{Consumer: "b", From: "a", IDs: []string{"1-0"}})
	require.NoError(t, err)
	require.Equal(t, []string{"1-0"}, taken.Gone)
	require.NotContains(t, s.counts(t), "1-0")
}

// CLAIM brings a consumer its own entries too, which its handlers may still work on.
func TestClaimBringsAConsumerItsOwnEntries(t *testing.T) {
	t.Parallel()
	s, ok := newStage(t)
	if !ok {
		return
	}
	s.add(t, 1)
	s.read(t, "a", 1)
	require.Equal(t, []string{"1-0"}, s.claim(t, "a", 0))
}

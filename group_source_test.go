package redisstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// sourcing returns what reads for a member that has an entry in flight, and for which
// others are released.
func sourcing(t *testing.T, released ...string) (*groupSource, *redistest.Server) {
	t.Helper()
	m, _, server := delaying(t)
	m.health = newHealth(time.Minute)
	pendingFor(t, server, xstream.Released, released...)
	return &groupSource{member: m, ledger: m.ledger, appetite: &appetite{}, claimer: newClaimer(m, "orders", nil, m.log)}, server
}

func pendingFor(t *testing.T, server *redistest.Server, consumer string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		server.Do(t, "XADD", "orders", id, "a", "b")
		server.Do(t, "XCLAIM", "orders", "g", consumer, "0", id, "IDLE", "1000000000000", "FORCE", "JUSTID")
	}
}

// claimed are the IDs of what waits after a claim.
func claimed(t *testing.T, s *groupSource, room int) []string {
	t.Helper()
	_, err := s.claim(t.Context(), room)
	require.NoError(t, err)
	var ids []string
	for _, e := range s.ledger.buffer {
		ids = append(ids, e.IDText())
	}
	return ids
}

func giveBackAll(t *testing.T, s *groupSource) {
	t.Helper()
	require.NoError(t, s.member.releaseBuffer(t.Context()))
	s.released.Store(true)
}

// What is left of an offer is newer than what was taken of it, and given back.
func TestWhatWasGivenBackComesBeforeTheRestOfTheOffer(t *testing.T) {
	t.Parallel()
	s, _ := sourcing(t, "2-1", "3-1", "4-1")
	require.Equal(t, []string{"2-1", "3-1"}, claimed(t, s, 2))
	giveBackAll(t, s)
	require.Equal(t, []string{"2-1"}, claimed(t, s, 1))
	giveBackAll(t, s)
	for _, want := range [][]string{{"2-1"}, {"2-1", "3-1"}, {"2-1", "3-1", "4-1"}} {
		require.Equal(t, want, claimed(t, s, 1))
	}
}

// So it is when the rest is somebody else's.
func TestWhatWasGivenBackComesBeforeOtherOffers(t *testing.T) {
	t.Parallel()
	s, server := sourcing(t)
	pendingFor(t, server, "dead", "2-1", "3-1", "4-1")
	s.claimer.offer(xstream.Claim{From: "dead", IDs: []string{"2-1", "3-1", "4-1"}})
	s.claimer.health.since = time.Now().Add(-time.Hour)
	require.Equal(t, []string{"2-1", "3-1"}, claimed(t, s, 2))
	giveBackAll(t, s)
	for _, want := range [][]string{{"2-1"}, {"2-1", "3-1"}, {"2-1", "3-1", "4-1"}} {
		require.Equal(t, want, claimed(t, s, 1))
	}
}

// A sweep may look before something is given back, and be answered after the reader's look.
func TestOldLookDoesNotReplaceWhatWasFoundSince(t *testing.T) {
	t.Parallel()
	s, _ := sourcing(t, "2-1", "3-1", "4-1")
	sweep := s.claimer.beginLook()
	require.Equal(t, []string{"2-1", "3-1"}, claimed(t, s, 2))
	giveBackAll(t, s)
	require.True(t, s.claimer.lookForReleased(t.Context()))
	s.claimer.offerLooked(sweep, []xstream.Pending{{ID: xstream.ID{Ms: 4, Seq: 1}}})
	s.released.Store(false)
	require.Equal(t, []string{"2-1"}, claimed(t, s, 1))
}

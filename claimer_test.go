package redisstream

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func offers(c *claimer, from string, n int) {
	claim := xstream.Claim{From: from}
	for i := range n {
		claim.IDs = append(claim.IDs, fmt.Sprintf("%d-1", i))
	}
	c.offer(claim)
}

// Others may be quicker: what a claim lists is more than it may take, and only
// what was looked at is over.
func TestClaimerOffersUntilAllIsOver(t *testing.T) {
	t.Parallel()
	c := newClaimer(&member{health: newHealth(time.Second), minIdle: time.Second}, "topic", nil, logger{})
	offers(c, xstream.Released, 100)

	offer, claim := c.next(1, true)
	require.Equal(t, 1, claim.Most)
	require.Len(t, claim.IDs, lookAhead)
	c.took(offer, 20)
	offer, claim = c.next(50, true)
	require.Equal(t, 50, claim.Most)
	require.Equal(t, "20-1", claim.IDs[0])
	require.Len(t, claim.IDs, 50)
	require.Empty(t, c.taken)
	c.took(offer, 80)
	require.Len(t, c.taken, 1, "it looks at once for more")
	offer, _ = c.next(1, true)
	require.Nil(t, offer)
}

func TestClaimerForgetsWhatWasFoundBeforeAnOutage(t *testing.T) {
	t.Parallel()
	c := newClaimer(&member{health: newHealth(time.Second), minIdle: time.Second}, "topic", nil, logger{})
	offers(c, "silent", 1)
	offers(c, xstream.Released, 1)
	c.health.note(time.Now(), errors.New("refused"))
	_, claim := c.next(1, true)
	require.Equal(t, xstream.Released, claim.From)
}

// Each page is looked at by one of many members, not by all of them.
func TestMembersShareTheLookThroughAll(t *testing.T) {
	t.Parallel()
	m, _, server := delaying(t)
	var ids []string
	for i := range 3 * scanPage {
		ids = append(ids, fmt.Sprintf("%d-1", 1000+i))
	}
	for _, id := range ids {
		server.Do(t, "XADD", "orders", id, "a", "b")
	}
	server.Do(t, append([]string{"XCLAIM", "orders", "g", "another", "0"}, append(ids, "FORCE", "JUSTID")...)...)
	c := newClaimer(m, "orders", nil, m.log)
	c.nextScan, c.highest = time.Time{}, xstream.ID{Ms: uint64(1000 + 3*scanPage)}
	require.NoError(t, c.scan(t.Context(), 50))
	require.GreaterOrEqual(t, time.Until(c.nextScan), 50*scanEvery/2-time.Second)
	require.GreaterOrEqual(t, c.scanFrom.Ms, uint64(1000+scanPage-1), "somewhere behind the first page")
	from := c.scanFrom
	c.nextScan = time.Time{}
	require.NoError(t, c.scan(t.Context(), 1))
	require.LessOrEqual(t, time.Until(c.nextScan), 2*m.minIdle)
	if c.scanFrom.IsZero() {
		require.GreaterOrEqual(t, from.Ms, uint64(1000+2*scanPage), "it was the last page")
	} else {
		require.Equal(t, from.Ms+scanPage-1, c.scanFrom.Ms, "the next one, in its order")
	}
}

// Who has nothing to renew would not notice that others can't, and rob them when they can
// again.
func TestLookAtOthersFailsWhereARenewalWould(t *testing.T) {
	t.Parallel()
	m, _, server := delaying(t)
	c := newClaimer(m, "orders", nil, m.log)
	for _, right := range []string{"xack", "evalsha"} {
		server.Do(t, "ACL", "SETUSER", "default", "-"+right)
		c.nextLook = time.Time{}
		require.Error(t, c.lookAtOthers(t.Context()), right)
		server.Do(t, "ACL", "SETUSER", "default", "+"+right)
	}
	c.nextLook = time.Time{}
	require.NoError(t, c.lookAtOthers(t.Context()))
}

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

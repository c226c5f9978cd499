package redisstream

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// Another member has created the group anew, and we have not noticed. What we learn of
// unheld entries then is of the new group, where others may take and ack them: that they were
// lost with the old one must not be thought of them when we notice.
func TestWhatIsUnheldInANewGroupIsNotRegisteredThereAgain(t *testing.T) {
	t.Parallel()
	const released = "2-1"
	for name, learn := range map[string]func(ctx context.Context, m *member, c *claimer, e *entry) (string, error){
		"given back": func(ctx context.Context, m *member, _ *claimer, e *entry) (string, error) {
			err := m.release(ctx, []*entry{e})
			m.ledger.forget([]*entry{e})
			return e.IDText(), err
		},
		"delayed": func(ctx context.Context, m *member, _ *claimer, e *entry) (string, error) {
			err := m.tryDelay(ctx, e, 0)
			m.ledger.forget([]*entry{e})
			return e.IDText(), err
		},
		"seen by a sweep": func(ctx context.Context, _ *member, c *claimer, _ *entry) (string, error) {
			return released, c.sweep(ctx)
		},
		"seen before a read": func(ctx context.Context, _ *member, c *claimer, _ *entry) (string, error) {
			c.lookForReleased(ctx)
			return released, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, e, server := delaying(t)
			c := newClaimer(m, "orders", nil, m.log)
			server.Do(t, "XADD", "orders", released, "a", "b")
			require.NoError(t, c.sweep(t.Context()))
			server.Do(t, "XGROUP", "DESTROY", "orders", "g")
			server.Do(t, "SET", m.markKey, "of another")
			server.Do(t, "XGROUP", "CREATE", "orders", "g", released)
			server.Do(t, "XCLAIM", "orders", "g", "me", "0", e.IDText(), "FORCE")
			server.Do(t, "XCLAIM", "orders", "g", xstream.Released, "0", released, "FORCE")

			id, err := learn(t.Context(), m, c, e)
			require.NoError(t, err)
			require.Equal(t, int64(1), server.Do(t, "XACK", "orders", "g", id), "by another one, who has taken it")
			for range 2 {
				_, err = m.groupReplaced(t.Context(), m.currentEpoch())
				require.NoError(t, err)
				require.NoError(t, c.sweep(t.Context()))
			}
			pending, err := m.group.Pending(t.Context(), xstream.PendingQuery{Count: 10})
			require.NoError(t, err)
			require.Len(t, pending, 1)
			require.NotEqual(t, id, pending[0].ID.String(), "what is acked stays acked")
		})
	}
}

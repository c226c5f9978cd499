package redisstream

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func newHolding(t *testing.T, server *redistest.Server) *holding {
	t.Helper()
	h := &holding{
		lease: xstream.Tenure{
			Partition: xstream.Partition{Group: xstream.Group{Stream: xstream.Stream{Client: server.Client(t), Key: "s"}, Name: "g"}, Lease: "{s}:lease:g", Consumer: "p0"},
			Member:    "m",
		},
		tenure: newTenure(), terms: terms{ttl: time.Minute}, ledger: newLedger(1, newPace(100)),
		doubts: make(chan struct{}, 1), log: newLogger(nil), stop: func(error) {}, strict: true,
	}
	h.source = &holdingSource{holding: h, ledger: h.ledger, appetite: &appetite{}, log: h.log}
	h.nudge = func(context.Context) {}
	h.tenure.extend(time.Now().Add(time.Minute), time.Now())
	for _, id := range []string{"1-0", "2-0", "3-0", "4-0"} {
		server.Do(t, "XADD", "s", id, "a", "b")
	}
	server.Do(t, "XGROUP", "CREATE", "s", "g", "0")
	g, err := h.lease.Acquire(t.Context(), "m", time.Minute)
	require.NoError(t, err)
	h.lease.Epoch = g.Epoch
	server.Do(t, "XREADGROUP", "GROUP", "g", "p0", "COUNT", "3", "STREAMS", "s", ">")
	return h
}

func groupPosition(t *testing.T, h *holding) string {
	t.Helper()
	id, err := h.lease.Position(t.Context())
	require.NoError(t, err)
	return id.String()
}

// The reader learns that the group is gone just after the tenure has ended for another reason.
func TestLostGroupIsNotRestoredByWhoHasLostItsPartition(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	h := newHolding(t, server)
	_, err := h.source.claim(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, 3, h.ledger.size()) // none is settled
	server.Do(t, "XGROUP", "DESTROY", "s", "g")
	h.lose("another reason")
	_, err = h.lease.Position(t.Context())
	require.Error(t, err)
	h.failed(t.Context(), err)
	if _, err := h.lease.Position(t.Context()); err != nil {
		return
	}
	require.Equal(t, "0-0", groupPosition(t, h), "1-0 to 3-0 are skipped")
}

// The group goes after the owner has learned its position, and before it has what is pending.
func TestGroupThatIsLostBeforeTheCatchUpSkipsNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	h := newHolding(t, server)
	h.source.learn(t.Context())
	server.Do(t, "XGROUP", "DESTROY", "s", "g")
	_, err := h.source.claim(t.Context(), 100)
	require.Error(t, err)
	require.Equal(t, "0-0", groupPosition(t, h), "1-0 to 3-0 are skipped")
}

//go:build !race

// The race detector makes sync.Pool forget at random, so allocations are
// counted without it.

package redisstream

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

//nolint:paralleltest // AllocsPerRun counts what the whole process allocates.
func TestKeyAllocs(t *testing.T) {
	allocs := func(key KeyFunc) float64 {
		s := &Subscriber{config: SubscriberConfig{Unmarshaler: bare{}, PartitionKey: key}.withDefaults(), log: newLogger(nil)}
		sub := s.newSubscription(t.Context(), "topic", place{stream: "topic"}, nil)
		require.Nil(t, sub.ledger.order, "one at a time is in order")
		d, e := sub.dispatcher, &entry{}
		return testing.AllocsPerRun(1000, func() {
			if _, err := d.open(e); err != nil {
				t.Fatal(err)
			}
		})
	}
	require.InDelta(t, allocs(nil), allocs(func(_ string, msg *message.Message) (string, error) { return msg.UUID, nil }), 0)
}

package redisstream

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// What is given up is overtaken when it is where it belongs, or when that is refused.
func TestNothingOvertakesWhatIsGivenUp(t *testing.T) {
	t.Parallel()
	ways := map[string]func(*ledger, *entry){
		"moved":   func(l *ledger, e *entry) { l.forget([]*entry{e}) },
		"refused": func(l *ledger, e *entry) { l.overtake(e) },
		"twice": func(l *ledger, e *entry) {
			l.overtake(e)
			l.forget([]*entry{e})
		},
		"acked by somebody": func(l *ledger, e *entry) { l.lose(e) },
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := filledLedger(1, 3)
			l.strict = true
			first := l.take()
			require.True(t, l.settle(first, condemned))
			require.Nil(t, l.take())
			way(l, first)
			second := l.take()
			require.Equal(t, uint64(2), second.ID.Ms)
			require.True(t, l.settle(second, acked))
			require.Equal(t, uint64(3), l.take().ID.Ms)
			require.Zero(t, l.barred)
		})
		t.Run(name+", with keys", func(t *testing.T) {
			t.Parallel()
			l := filledLedger(8, 4)
			l.strict, l.order = true, newKeyOrder()
			keys := map[uint64]string{1: "a", 2: "a", 3: "b", 4: "a"}
			take := func() *entry {
				for {
					e := l.take()
					if e == nil || e.keyed != nil || l.assign(e, keys[e.ID.Ms], message.NewMessage("", nil)) {
						return e
					}
				}
			}
			first := take()
			require.Equal(t, uint64(3), take().ID.Ms, "another key")
			require.True(t, l.settle(first, condemned))
			require.Nil(t, take())
			way(l, first)
			require.Equal(t, uint64(2), take().ID.Ms)
			require.Nil(t, take())
		})
	}
}

func TestLossOfEverythingLeavesNothing(t *testing.T) {
	t.Parallel()
	l := filledLedger(2, 6)
	l.strict = true
	inHand, done := l.take(), l.take()
	require.True(t, l.offer(inHand, &delivery{}))
	require.True(t, l.settle(done, acked))
	require.True(t, l.settle(l.take(), condemned))
	require.Len(t, l.loseAll(), 1)
	require.Zero(t, l.size())
	require.Zero(t, l.unconfirmed)
	require.Zero(t, l.doomed)
	require.Zero(t, l.barred)
	require.Nil(t, l.take())
	require.False(t, l.settle(inHand, acked), "its ack has no effect")
	l.forget([]*entry{done})
	require.Zero(t, l.unconfirmed, "it was counted once")
	require.Empty(t, l.orphans)
}

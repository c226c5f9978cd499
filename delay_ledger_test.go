package redisstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// handedTo has the caller receive the next message of a ledger now.
func handedTo(t *testing.T, l *ledger) (*entry, *delivery) {
	t.Helper()
	e, d := l.take(), &delivery{msg: message.NewMessage("", nil)}
	require.NotNil(t, e)
	require.True(t, l.offer(e, d))
	l.received(d)
	return e, d
}

// Another look may bring an entry back before we know that it has gone.
func TestLedgerHoldsAnewWhatCameBackWhileItWasLeaving(t *testing.T) {
	t.Parallel()
	l := filledLedger(1, 1)
	e, d := handedTo(t, l)
	has, uuid := l.deliveryOf(e)
	require.Same(t, d, has)
	require.Equal(t, d.msg.UUID, uuid)
	l.failed(e)
	has, _ = l.deliveryOf(e)
	require.Nil(t, has, "its handler is done with it")
	l.leaving(e)
	require.Nil(t, l.take(), "it keeps its slot")
	l.admit(batch(1), admission{sent: time.Now()})
	l.settle(e, forgotten)
	require.True(t, l.holds(e.ID))
	again := l.take()
	require.NotNil(t, again)
	require.NotSame(t, e, again)
	require.True(t, l.due(again, 100*365*24*time.Hour), "it is verified before it is handed out")
}

func TestLedgerForgetsWhatHasLeft(t *testing.T) {
	t.Parallel()
	l := filledLedger(1, 2)
	e, _ := handedTo(t, l)
	l.leaving(e)
	l.settle(e, forgotten)
	require.False(t, l.holds(e.ID))
	require.Equal(t, 1, l.size())
	require.NotNil(t, l.take(), "its slot is free")
}

func TestLedgerDoesNotFindAgainWhatWasLostBeforeItLeft(t *testing.T) {
	t.Parallel()
	l := filledLedger(1, 1)
	e, _ := handedTo(t, l)
	l.lose(e)
	l.leaving(e)
	require.True(t, l.isLost(e))
	require.False(t, l.settle(e, forgotten))
	require.Zero(t, l.size())
}

func TestLedgerKnowsWhatHandlersHaveForTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := filledLedger(9, 4)
		hangs, _ := handedTo(t, l)
		failed, _ := handedTo(t, l)
		lost, _ := handedTo(t, l)
		offered := l.take()
		require.True(t, l.offer(offered, &delivery{msg: message.NewMessage("", nil)}), "nobody has received it")
		l.failed(failed)
		l.lose(lost)
		start := time.Now()
		require.Empty(t, l.overdue(start))
		time.Sleep(time.Minute)
		require.Equal(t, []uint64{1}, times(l.overdue(start.Add(time.Nanosecond))))
		require.Empty(t, l.overdue(start), "it is not yet")
		hangs.delivery.msg.Ack()
		require.Empty(t, l.overdue(start.Add(time.Nanosecond)), "that is on its way")
	})
}

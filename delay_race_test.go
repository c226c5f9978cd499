package redisstream

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// delaying is a member that has one entry in hand, and its server.
func delaying(t *testing.T) (*member, *entry, *redistest.Server) {
	t.Helper()
	server := redistest.Start(t)
	stream := xstream.Stream{Client: server.Client(t), Key: "orders"}
	m := &member{
		group: xstream.Group{Stream: stream, Name: "g"}, ledger: newLedger(1, newPace(1)), health: newHealth(time.Second),
		log: newLogger(nil), minIdle: time.Minute, consumer: "me", markKey: "{orders}:mark:g", recall: func() {}, restoring: make(chan struct{}, 1),
	}
	require.NoError(t, m.group.Create(t.Context(), "0"))
	server.Do(t, "XADD", "orders", "1-1", "a", "b")
	server.Do(t, "XCLAIM", "orders", "g", "me", "0", "1-1", "FORCE")
	m.ledger.admit([]xstream.Entry{{ID: xstream.ID{Ms: 1, Seq: 1}, Deliveries: 1}}, admission{sent: time.Now(), counted: true})
	return m, m.ledger.take(), server
}

// The answer is lost, and the entry comes back before the next attempt.
func TestDelayIsNotRepeatedForWhatIsBackAgain(t *testing.T) {
	t.Parallel()
	m, e, _ := delaying(t)
	attempts := 0
	m.confirmName = func(ctx context.Context) error {
		if attempts++; attempts > 1 {
			return nil
		}
		_, err := m.group.Delay(ctx, xstream.Giver{Consumer: "me"}, []xstream.Count{{ID: e.IDText(), Deliveries: xstream.Unchanged}}, 0)
		require.NoError(t, err)
		taken, err := m.group.Take(ctx, xstream.Claim{Consumer: "me", From: xstream.Delayed, IDs: []string{e.IDText()}})
		require.NoError(t, err)
		m.ledger.admit(taken.Entries, admission{sent: time.Now()})
		return context.DeadlineExceeded
	}
	require.True(t, m.delay(t.Context(), t.Context(), e, time.Hour))
	pending, err := m.group.Pending(t.Context(), xstream.PendingQuery{Count: 1})
	require.NoError(t, err)
	require.Equal(t, "me", pending[0].Consumer, "it is held here again")
}

// Another member has restored the group, and we can't register there what we hold.
func TestDelayPausesWhenTheGroupCannotBeRestored(t *testing.T) {
	t.Parallel()
	m, e, server := delaying(t)
	server.Do(t, "XACK", "orders", "g", e.IDText())
	server.Do(t, "SET", m.markKey, "another")
	server.Do(t, "ACL", "SETUSER", "default", "-xinfo|stream")
	attempts := 0
	m.confirmName = func(context.Context) error {
		attempts++
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.False(t, m.delay(ctx, ctx, e, time.Hour))
	require.Less(t, attempts, 10)
}

// The handler nacks, and the message is handed out again, while it is taken away.
func TestMessageThatIsHandedOutWhileItsLeaseEndsLosesItToo(t *testing.T) {
	t.Parallel()
	m, e, _ := delaying(t)
	late, again := &delivery{msg: message.NewMessage("1", nil)}, &delivery{msg: message.NewMessage("1", nil)}
	require.True(t, m.ledger.offer(e, late))
	late.since = instantOf(time.Now().Add(-time.Minute))
	recalled := 0
	m.recall = func() { recalled++ }
	h := &heartbeat{member: m, ledger: m.ledger, log: m.log, maxLease: time.Second, passOn: func(*delivery) {}}
	late.ctx.end(ErrLeaseExpired)
	m.confirmName = func(context.Context) error {
		m.ledger.failed(e)
		m.ledger.offer(e, again)
		return nil
	}
	require.NoError(t, h.expire(t.Context()))
	require.Equal(t, ErrLeaseExpired, again.ctx.ending.cause, "its handler learns of it")
	require.Equal(t, 1, recalled, "or it is not handed out")
}

// Another goroutine has restored the group since the command was sent: its answer is
// that of the old group.
func TestAnswersFromBeforeARestoreAreDoubted(t *testing.T) {
	t.Parallel()
	m, e, server := delaying(t)
	epoch := m.currentEpoch()
	server.Do(t, "XGROUP", "DESTROY", "orders", "g")
	require.NoError(t, m.restore(t.Context(), epoch))
	again, err := m.groupReplaced(t.Context(), epoch)
	require.NoError(t, err)
	require.True(t, again)
	again, err = m.groupReplaced(t.Context(), m.currentEpoch())
	require.NoError(t, err)
	require.False(t, again)

	server.Do(t, "XGROUP", "DESTROY", "orders", "g")
	require.NoError(t, m.tryDelay(t.Context(), e, time.Hour))
	require.Equal(t, []xstream.Count{{ID: e.IDText(), Deliveries: 1}}, m.unheld.list(), "it is remembered")
}

// The group is destroyed when the delay has been executed, and the entry is registered
// as ours in the new one.
func TestWhatIsGivenBackWhileTheGroupIsRestoredIsGivenBackAgain(t *testing.T) {
	t.Parallel()
	m, e, server := delaying(t)
	m.ledger.leaving(e)
	counts := m.ledger.counts([]*entry{e})
	attempts := 0
	require.NoError(t, m.giveBack(t.Context(), counts, func(ctx context.Context) (int64, error) {
		n, err := m.group.Delay(ctx, xstream.Giver{Consumer: "me"}, counts, time.Hour)
		if attempts++; attempts == 1 {
			server.Do(t, "XGROUP", "DESTROY", "orders", "g")
			require.NoError(t, m.restore(ctx, m.currentEpoch()))
		}
		return n, err
	}))
	require.Equal(t, 2, attempts)
	require.Equal(t, xstream.Delayed, ownerOf(t, m))
}

// It was forgotten here while it was registered there.
func TestWhatIsForgottenWhileTheGroupIsRestoredIsReleased(t *testing.T) {
	t.Parallel()
	m, e, _ := delaying(t)
	m.ledger.settle(e, forgotten)
	require.NoError(t, m.giveBackAgain(t.Context(), []*entry{e}, []string{e.IDText()}))
	require.Equal(t, xstream.Released, ownerOf(t, m))
}

// Another member has restored the group and did not know what we had given back. No
// answer to us would ever tell.
func TestSweepRegistersWhatWasGivenBackInANewGroup(t *testing.T) {
	t.Parallel()
	m, e, server := delaying(t)
	require.True(t, m.delay(t.Context(), t.Context(), e, time.Hour))
	m.ledger.settle(e, forgotten)
	server.Do(t, "XGROUP", "DESTROY", "orders", "g")
	server.Do(t, "XGROUP", "CREATE", "orders", "g", "$")
	server.Do(t, "SET", m.markKey, "another")
	c := newClaimer(m, "orders", nil, m.log)
	c.look = func() {}
	m.unheld.saw(nil, nil) // the sweep before did not see it
	require.NoError(t, c.sweep(t.Context()))
	require.Equal(t, xstream.Released, ownerOf(t, m))
}

// ownerOf is who has the only pending entry.
func ownerOf(t *testing.T, m *member) string {
	t.Helper()
	pending, err := m.group.Pending(t.Context(), xstream.PendingQuery{Count: 2})
	require.NoError(t, err)
	require.Len(t, pending, 1)
	return pending[0].Consumer
}

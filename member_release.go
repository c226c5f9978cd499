package redisstream

import (
	"context"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// How a member gives entries back to its group.

// release gives entries back to the group.
func (m *member) release(ctx context.Context, entries []*entry) error {
	if len(entries) == 0 {
		return nil
	}
	counts := m.ledger.handedOut(entries)
	return m.giveBack(ctx, counts, func(ctx context.Context) (int64, error) {
		return m.group.Release(ctx, m.giver(), counts)
	})
}

// giver is who gives back, and to which group: what another one gets that we don't know
// yet would be registered there again when we do, and others may have acked it by then.
func (m *member) giver() xstream.Giver {
	m.mu.Lock()
	defer m.mu.Unlock()
	return xstream.Giver{Consumer: m.consumer, MarkKey: m.markKey, Mark: m.mark}
}

// giveBack runs a command that gives entries back, and again if they were not ours
// because the group was another one.
func (m *member) giveBack(ctx context.Context, entries []xstream.Count, command func(ctx context.Context) (int64, error)) error {
	for {
		epoch := m.currentEpoch()
		n, err := ask(ctx, m, command)
		if err != nil {
			return err
		}
		doubt := m.groupReplaced
		if int(n) == len(entries) {
			m.unheld.released(entries)
			doubt = m.restoredSince // it may have been registered as ours meanwhile
		}
		if again, err := doubt(ctx, epoch); err != nil || !again {
			return err
		}
	}
}

// delay gives an entry back to the group for after a time. It reports false when
// ctx ended first, and one attempt more, until work ends, was in vain too. What is
// no longer ours needs no delay, and what is back again has had it: an attempt
// whose answer was lost may have been executed.
func (m *member) delay(ctx, work context.Context, e *entry, d time.Duration) bool {
	t := trouble{log: m.log, doing: "give an entry back for later"}
	m.ledger.leaving(e)
	for !m.ledger.heldAnew(e) {
		err := m.tryDelay(ctx, e, d)
		if err == nil {
			t.over()
			break
		}
		if !t.wait(ctx, err) {
			return m.ledger.heldAnew(e) || m.tryDelay(work, e, d) == nil
		}
	}
	return true
}

func (m *member) tryDelay(ctx context.Context, e *entry, d time.Duration) error {
	return m.giveBack(ctx, m.ledger.counts([]*entry{e}), func(ctx context.Context) (int64, error) {
		return m.group.Delay(ctx, m.giver(), []xstream.Count{{ID: e.IDText(), Deliveries: xstream.Unchanged}}, d)
	})
}

// releaseBuffer gives back all that waits.
func (m *member) releaseBuffer(ctx context.Context) error {
	return m.releaseWaiting(ctx, m.ledger.unbuffer())
}

// releaseWaiting gives back what waited. What Redis did not confirm stays held.
func (m *member) releaseWaiting(ctx context.Context, entries []*entry) error {
	if err := m.release(ctx, entries); err != nil {
		m.ledger.rebuffer(entries)
		return err
	}
	m.ledger.forget(entries)
	return nil
}

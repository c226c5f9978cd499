package redisstream

import (
	"context"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// How a member brings back a group that is gone, and notices that another member
// has.

// groupReplaced finds out whether somebody has created the group anew without
// our noticing, and if so, registers there what we hold. Without that, entries
// of the old group would look as if others had taken them. epoch is what it was when
// the command was sent whose answer was in doubt: the group may have been restored
// by another goroutine since then.
func (m *member) groupReplaced(ctx context.Context, epoch int) (bool, error) {
	mark, err := askOnce(ctx, m, func(ctx context.Context) (string, error) { return m.group.Mark(ctx, m.markKey) })
	if err != nil || mark == "" {
		return false, err
	}
	if mark != m.knownMark() {
		return true, m.restore(ctx, epoch)
	}
	return m.restoredSince(ctx, epoch)
}

// restoredSince reports whether the group was restored by us since a time, and waits
// for whoever is about it.
func (m *member) restoredSince(ctx context.Context, epoch int) (bool, error) {
	select {
	case m.restoring <- struct{}{}:
		<-m.restoring
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return m.currentEpoch() != epoch, nil
}

// restore creates a group that is gone where nothing unsettled is skipped, and
// registers there what we hold. epoch is what it was when the caller's command
// was sent: only one of those who notice does the work.
func (m *member) restore(ctx context.Context, epoch int) error {
	select {
	case m.restoring <- struct{}{}:
		defer func() { <-m.restoring }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if m.currentEpoch() != epoch {
		return nil
	}
	err := m.restoreNow(ctx)
	if err == nil {
		m.mu.Lock()
		m.epoch++
		m.mu.Unlock()
	}
	return err
}

func (m *member) restoreNow(ctx context.Context) error {
	var held []*entry
	if !m.atMostOnce { // else nothing is pending for us
		held = m.ledger.unsettled()
	}
	last, err := askOnce(ctx, m, m.lastID)
	if err != nil {
		return err
	}
	start := m.startOver(last)
	sent := time.Now()
	r := xstream.Restoration{
		Consumer: m.name(), Start: start.String(), Entries: m.ledger.counts(held), Mark: m.markKey, Token: randomHex(8),
		Unheld: m.unheld.list(), Stale: m.unheld.stale(),
	}
	timeout := m.timeout() * time.Duration(1+(len(held)+len(r.Unheld))/1024)
	restored, err := askFor(ctx, m, timeout, func(ctx context.Context) (xstream.Restored, error) { return m.group.Restore(ctx, r) })
	if err != nil {
		return err
	}
	m.entered(start, last, restored.Mark)
	m.log.Info("Consumer group was gone and has been created again", watermill.LogFields{
		"start": start.String(), "held": len(held), "registered": len(restored.Mine),
	})
	m.reconcile(held, restored, sent)
	if err := m.ackAgain(ctx, held, restored.Mine); err != nil {
		return err
	}
	return m.giveBackAgain(ctx, held, restored.Mine)
}

// ackAgain settles what was acked while it was registered in the new group: there,
// it has become pending again.
func (m *member) ackAgain(ctx context.Context, held []*entry, registered []string) error {
	mine := asSet(registered)
	var ids []string
	for _, e := range held {
		if mine[e.IDText()] && m.ledger.isSettled(e) {
			ids = append(ids, e.IDText())
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := askOnce(ctx, m, func(ctx context.Context) (int64, error) { return m.group.Ack(ctx, ids) })
	return err
}

// giveBackAgain releases what was given back while it was registered in the new
// group.
func (m *member) giveBackAgain(ctx context.Context, held []*entry, registered []string) error {
	mine := asSet(registered)
	gone := slices.DeleteFunc(slices.Clone(held), func(e *entry) bool {
		return !mine[e.IDText()] || m.ledger.holds(e.ID) || m.ledger.isSettled(e)
	})
	if len(gone) == 0 {
		return nil
	}
	_, err := askOnce(ctx, m, func(ctx context.Context) (int64, error) {
		return m.group.Release(ctx, m.giver(), m.ledger.handedOut(gone))
	})
	return err
}

// lastID is the greatest ID that the stream has had.
func (m *member) lastID(ctx context.Context) (xstream.ID, error) {
	last, _, err := m.group.LastID(ctx)
	return last, err
}

// startOver is where a new group starts, so that it skips nothing that nobody
// holds. What members hold they register themselves. last is the stream's last ID.
func (m *member) startOver(last xstream.ID) xstream.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last.Less(m.seen) {
		return xstream.ID{} // another stream took the name: all of it is new
	}
	return m.position
}

// reconcile drops what could not be registered in the new group: its entry is
// gone, or was handed to somebody else.
func (m *member) reconcile(held []*entry, r xstream.Restored, sent time.Time) {
	mine, theirs := asSet(r.Mine), asSet(r.Theirs)
	var missing []string
	for _, e := range held {
		switch {
		case mine[e.IDText()]:
			m.ledger.confirm(e, sent)
		case theirs[e.IDText()]:
			m.lost(e, ErrLeaseLost)
		default:
			missing = append(missing, e.IDText())
			m.ledger.lose(e)
		}
	}
	m.gone(missing...)
}

func asSet(ids []string) map[string]bool {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

func (m *member) currentEpoch() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch
}

// entered notes where a group stands that is new to us, which one it is, and the
// last ID of its stream.
func (m *member) entered(position, last xstream.ID, mark string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.position, m.seen, m.mark = position, last, mark
}

func (m *member) knownMark() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mark
}

// sawPosition learns of a greater position of the group.
func (m *member) sawPosition(id xstream.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.position.Less(id) {
		m.position = id
	}
}

// sawID learns of an entry of the stream. It is not the same as a position: that
// may be one that the stream has not reached.
func (m *member) sawID(id xstream.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen.Less(id) {
		m.seen = id
	}
}

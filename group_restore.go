package redisstream

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// How a member brings back a group that is gone, and notices that another member
// has.

// groupReplaced finds out whether somebody has created the group anew without
// our noticing, and if so, registers there what we hold. Without that, entries
// of the old group would look as if others had taken them.
func (m *member) groupReplaced(ctx context.Context) (bool, error) {
	epoch := m.currentEpoch()
	mark, err := askOnce(ctx, m, func(ctx context.Context) (string, error) { return m.group.Mark(ctx, m.markKey) })
	if err != nil || mark == "" || mark == m.knownMark() {
		return false, err
	}
	return true, m.restore(ctx, epoch)
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
	floor := m.floor(held)
	last, err := askOnce(ctx, m, func(ctx context.Context) (xstream.ID, error) {
		last, _, err := m.group.LastID(ctx)
		return last, err
	})
	if err != nil {
		return err
	}
	if last.Less(floor) {
		floor = xstream.ID{} // another stream took the name: all of it is new
	}
	sent := time.Now()
	r := xstream.Restoration{
		Consumer: m.name(), Start: floor.String(), Entries: m.ledger.counts(held), Mark: m.markKey, Token: randomHex(8),
	}
	restored, err := askOnce(ctx, m, func(ctx context.Context) (xstream.Restored, error) { return m.group.Restore(ctx, r) })
	if err != nil {
		return err
	}
	m.entered(floor, restored.Mark)
	m.log.Info("Consumer group was gone and has been created again", watermill.LogFields{
		"start": floor.String(), "held": len(held), "registered": len(restored.Mine),
	})
	m.reconcile(held, restored, sent)
	return nil
}

// floor is the position from which a new group skips nothing that is unsettled.
func (m *member) floor(held []*entry) xstream.ID {
	if len(held) > 0 { // in the order of the stream
		return held[0].ID.Prev()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.position
}

// reconcile drops what could not be registered in the new group: its entry is
// gone, or was handed to somebody else.
func (m *member) reconcile(held []*entry, r xstream.Restored, sent time.Time) {
	mine, theirs := asSet(r.Mine), asSet(r.Theirs)
	var missing []string
	for _, e := range held {
		switch {
		case mine[e.id]:
			m.ledger.confirm(e, sent)
		case theirs[e.id]:
			m.lost(e, ErrLeaseLost)
		default:
			missing = append(missing, e.id)
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

// entered notes where a group stands that is new to us, and which one it is.
func (m *member) entered(position xstream.ID, mark string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.position, m.mark = position, mark
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

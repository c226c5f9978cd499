package redisstream

import (
	"context"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// holder has entries on the server, for a dispatcher that hands them out: as a member of
// a group, or as the owner of a partition.
type holder interface {
	// isDue reports whether an entry has to be verified before it is handed out.
	isDue(e *entry) bool
	// verify asks whether an entry is still ours, and counts the hand-out to come. It goes
	// on until Redis has answered or the context ends.
	verify(ctx context.Context, e *entry) bool
	// doubtAt is when to ask again whether an entry that is on offer is ours.
	doubtAt(e *entry) time.Time
	// stillOurs is verify for an entry whose hand-out is counted.
	stillOurs(ctx context.Context, e *entry) bool
	// find reads an entry that a handler has had. It reports false if it is gone.
	find(ctx context.Context, id xstream.ID) (xstream.Entry, bool, error)
	// release gives back what will not be handed out here.
	release(ctx context.Context, entries []*entry) error
	// delay gives an entry back for after a time. It reports false if that was in vain.
	delay(ctx, work context.Context, e *entry, d time.Duration) bool
}

// isDue implements holder.
func (m *member) isDue(e *entry) bool { return m.ledger.due(e, m.minIdle/3) }

// doubtAt implements holder.
func (m *member) doubtAt(e *entry) time.Time { return m.ledger.confirmedAt(e).Add(m.minIdle / 3) }

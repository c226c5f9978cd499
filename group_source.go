package redisstream

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// recoveryPage is how many of our own pending entries are listed at once.
const recoveryPage = 128

// groupSource reads for a member of a group: first what the server counts as
// ours though we never saw it, then what others left, then new entries.
type groupSource struct {
	member *member
	ledger *ledger
	// appetite is the reader's.
	appetite *appetite
	claimer  *claimer // nil: at most once, where nothing is ever pending
	noAck    bool
	// joined is the group's position when we came. What is pending for us from
	// before may have been handed out by the one who had our name.
	joined xstream.ID

	// unseen says that entries may be pending for us that we don't hold: after a
	// read or claim whose reply was lost, or left by the one who had our name.
	unseen atomic.Bool

	// released says that we have given back what waited here, and that it comes before
	// what is new, if nobody else has taken it until the caller has time again.
	released atomic.Bool

	// The reader's own.
	started bool       // what was released before we came has been taken
	yield   bool       // what was delayed has had its turn, and new entries are next
	seek    xstream.ID // where the look through our pending entries goes on
}

// claim implements source.
func (s *groupSource) claim(ctx context.Context, room int) (int, error) {
	if s.claimer == nil {
		return 0, nil
	}
	if n, err := s.recover(ctx, room); n > 0 || err != nil {
		return n, err
	}
	if s.released.Swap(false) || !s.started && !s.claimer.offering() {
		// What was released before we came is older than what is new, and what we have given
		// back also than what is left of an offer.
		s.started = !s.claimer.lookForReleased(ctx)
	}
	offer, c := s.claimer.next(room, !s.yield)
	if offer == nil {
		return 0, nil
	}
	s.yield = s.yield || c.From == xstream.Delayed
	taken, err := s.take(ctx, c, uncounted)
	if err != nil {
		s.claimer.took(offer, len(offer.IDs)) // nobody knows what became of it
	} else {
		s.claimer.took(offer, taken.Looked)
	}
	return len(c.IDs), err
}

// uncounted: a claim keeps the count of an entry, so the hand-out to come is not
// in it.
func uncounted(xstream.Entry) bool { return false }

// neverHandedOut reports of an entry from our own pending list whether the
// server's count is that of a read whose reply we never saw.
func (s *groupSource) neverHandedOut(e xstream.Entry) bool {
	return e.Deliveries == 1 && s.joined.Less(e.ID) && !s.member.isDoubtful(e.ID)
}

// recover admits entries that are pending for us and not held, as far as there
// is room, in the order of the stream.
func (s *groupSource) recover(ctx context.Context, room int) (int, error) {
	for s.unseen.Load() {
		query := xstream.PendingQuery{Consumer: s.member.name(), From: s.seek, Count: recoveryPage}
		pending, err := ask(ctx, s.member, func(ctx context.Context) ([]xstream.Pending, error) {
			return s.member.group.Pending(ctx, query)
		})
		if err != nil {
			return 0, err
		}
		ids, next, more := s.missing(pending, room)
		s.seek = next
		if !more {
			s.seek = xstream.ID{}
			s.unseen.Store(false)
		}
		if len(ids) > 0 {
			me := s.member.name()
			_, err := s.take(ctx, xstream.Claim{From: me, IDs: ids}, s.neverHandedOut)
			return len(ids), err
		}
	}
	return 0, nil
}

// missing lists what we don't hold of a page, as far as there is room, and where
// to go on if that was not all.
func (s *groupSource) missing(pending []xstream.Pending, room int) (ids []string, next xstream.ID, more bool) {
	for _, p := range pending {
		if s.ledger.holds(p.ID) {
			continue
		}
		if len(ids) == room {
			return ids, p.ID, true
		}
		ids = append(ids, p.ID.String())
	}
	if len(pending) < recoveryPage {
		return ids, xstream.ID{}, false
	}
	return ids, pending[len(pending)-1].ID.Next(), true
}

// take makes pending entries ours. Others may be quicker than us, and entries may
// be gone.
func (s *groupSource) take(ctx context.Context, c xstream.Claim, counted func(xstream.Entry) bool) (xstream.Taken, error) {
	c.Consumer = s.member.name()
	sent := time.Now()
	// Not even the end of the subscription interrupts it: what is ours has to be
	// known, to be given back with the right count.
	taken, err := askPatiently(context.WithoutCancel(ctx), s.member, s.appetite.slack, func(ctx context.Context) (xstream.Taken, error) {
		return s.member.group.Take(ctx, c)
	})
	if s.member.name() != c.Consumer {
		return xstream.Taken{Looked: len(c.IDs)}, err // the name was lost meanwhile; who has it finds them
	}
	for _, e := range taken.Entries {
		s.ledger.admit([]xstream.Entry{e}, admission{sent: sent, counted: counted(e), cleared: c.From == xstream.Delayed})
	}
	s.member.gone(taken.Gone...)
	if err == nil {
		s.member.unheld.took(c.IDs[:taken.Looked])
	}
	switch {
	case err == nil || xstream.IsReply(err):
	case c.From == c.Consumer:
		s.look() // they were ours before, with the same counts
	default:
		s.member.doubt(c.IDs)
		s.look()
	}
	return taken, err
}

// look has our own pending entries looked through before the next read.
func (s *groupSource) look() { s.unseen.Store(true) }

// read implements source.
func (s *groupSource) read(ctx context.Context, conn *xstream.Conn, room int, block, slack time.Duration) (int, error) {
	if err := s.member.checkName(ctx); err != nil {
		return 0, err
	}
	epoch := s.member.currentEpoch()
	if s.yield && s.claimer.offering() { // it is only for what is there
		block = time.Millisecond
	}
	s.yield = false
	r := xstream.GroupRead{Consumer: s.member.name(), Count: room, Block: block, Slack: slack + s.appetite.slack, NoAck: s.noAck}
	sent := time.Now()
	entries, err := conn.ReadGroup(ctx, s.member.group, r)
	defer clear(entries)
	if err != nil {
		if xstream.Classify(err) == xstream.NoGroup {
			return 0, s.member.restore(ctx, epoch)
		}
		return 0, err
	}
	if s.member.name() != r.Consumer {
		return 0, nil // the name was lost meanwhile; who has it finds them
	}
	if n := len(entries); n > 0 {
		s.member.hasRead(r.Consumer, sent)
		s.member.sawPosition(entries[n-1].ID)
		s.member.sawID(entries[n-1].ID)
		s.ledger.admit(entries, admission{sent: sent, counted: true})
	}
	return len(entries), nil
}

// failed implements source.
func (s *groupSource) failed(_ context.Context, err error) {
	s.member.health.note(time.Now(), err)
	if !xstream.IsReply(err) {
		s.seek = xstream.ID{}
		s.look()
	}
}

package redisstream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// holdingSource reads a partition in order: first what is pending, whoever read it, and
// then what is new. Behind each read it looks for a gap. A member that was paused may
// send its read late, and take entries between ours and those that it had before; they are
// pending then, and we take them from there.
type holdingSource struct {
	holding  *holding
	ledger   *ledger
	appetite *appetite
	log      logger

	// foreign says that something is pending for another consumer, as a dead letter that
	// goes back to the group.
	foreign atomic.Bool

	// The reader's own.
	caughtUp bool       // all that is pending behind the cursor is held
	began    bool       // that was so before
	unsure   bool       // the server may have forgotten acks
	learned  xstream.ID // the group's position when we came

	mu     sync.Mutex // protects the following fields
	cursor xstream.ID // all up to here is settled or held
	known  xstream.ID // the same, when all that was pending then is held
}

// claim implements source.
func (s *holdingSource) claim(ctx context.Context, room int) (int, error) {
	if !s.holding.tenure.await(ctx) {
		<-ctx.Done() // what is lost ends the subscription
		return 0, nil
	}
	if !s.caughtUp {
		return s.catchUp(ctx, room)
	}
	if s.foreign.Swap(false) {
		return s.adopt(ctx, room)
	}
	return 0, nil
}

// catchUp takes what is pending behind the cursor.
func (s *holdingSource) catchUp(ctx context.Context, room int) (int, error) {
	if !s.began {
		s.learn(ctx)
	}
	if s.unsure {
		if err := s.confirm(ctx); err != nil || s.holding.tenure.isOver() {
			return 0, err
		}
	}
	r, err := s.recall(ctx, room, s.holding.lease.Recall)
	if err != nil {
		s.holding.failed(ctx, err)
		return 0, err
	}
	for _, e := range r.Entries {
		// What we have not seen was read by somebody who did not hand it out, but at the start.
		s.ledger.admit([]xstream.Entry{e}, admission{sent: time.Now(), counted: s.began && e.Deliveries == 1})
	}
	if r.More {
		s.advance(r.Next.Prev())
	} else {
		s.caughtUp, s.began = true, true
		s.know(s.learned)
		if n := len(r.Entries); n > 0 {
			s.advance(r.Entries[n-1].ID)
		}
	}
	s.holding.gone(r.Gone...)
	return len(r.Entries) + len(r.Gone), nil
}

// confirm makes sure that what we take for acked is. Acks would find out too, but there may
// be no more of them.
func (s *holdingSource) confirm(ctx context.Context) error {
	low := s.ledger.lowest()
	if low.IsZero() {
		low = s.cursor.Next()
	}
	_, err := askUnder(context.WithoutCancel(ctx), s.holding, 0, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.holding.lease.Confirm(ctx, low)
	})
	s.unsure = err != nil
	return s.holding.unlessLost(err)
}

// adopt takes what is pending for others, wherever it is.
func (s *holdingSource) adopt(ctx context.Context, room int) (int, error) {
	s.holding.taking.Lock()
	defer s.holding.taking.Unlock()
	s.holding.adopted = true
	r, err := s.recall(ctx, room, func(ctx context.Context, next xstream.ID, count int) (xstream.Recalled, error) {
		return s.holding.lease.Adopt(ctx, next.Prev(), count)
	})
	if err != nil {
		if !xstream.IsReply(err) {
			s.holding.lose("nobody knows what became of what others had") // it would be below the cursor
			return 0, err
		}
		s.foreign.Store(true)
		s.holding.failed(ctx, err)
		return 0, err
	}
	s.foreign.Store(r.More)
	for _, e := range r.Entries {
		s.ledger.admit([]xstream.Entry{e}, admission{sent: time.Now()})
	}
	s.holding.gone(r.Gone...)
	return len(r.Entries) + len(r.Gone), nil
}

func (s *holdingSource) recall(ctx context.Context, room int, recall func(context.Context, xstream.ID, int) (xstream.Recalled, error)) (xstream.Recalled, error) {
	next := s.cursor.Next()
	return within(context.WithoutCancel(ctx), s.holding.terms.timeout()+s.appetite.slack, func(ctx context.Context) (xstream.Recalled, error) {
		return recall(ctx, next, room)
	})
}

// read implements source.
func (s *holdingSource) read(ctx context.Context, conn *xstream.Conn, room int, block, slack time.Duration) (int, error) {
	h := s.holding
	left := h.tenure.left()
	if left < minBlockTime { // whoever renews the lease is late, or it is lost
		pause(ctx, left)
		return 0, nil
	}
	r := xstream.GroupRead{Consumer: h.lease.Consumer, Count: room, Block: min(block, left), Slack: slack + s.appetite.slack}
	sent := time.Now()
	entries, straggler, err := conn.ReadPartition(ctx, h.lease.Partition, r, s.cursor)
	defer clear(entries)
	switch n := len(entries); {
	case err != nil:
		h.failed(ctx, err)
		return 0, err
	case straggler != nil:
		s.caughtUp = false // what we read is pending too, and comes behind it
		s.log.Debug("Found a gap before what was read", nil)
	case n > 0 && !s.cursor.Less(entries[0].ID):
		h.lose("the server has forgotten what it has handed out")
	case n > 0:
		s.advance(entries[n-1].ID)
		s.ledger.admit(entries, admission{sent: sent, counted: true})
	}
	return len(entries), nil
}

// failed implements source.
func (s *holdingSource) failed(context.Context, error) {
	s.caughtUp = false // what the server has handed out may not have arrived
	s.unsure = s.began // and it may be another server, which has not everything
}

func (s *holdingSource) advance(id xstream.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cursor.Less(id) {
		s.cursor = id
	}
}

// position is where the group has to start again if it is gone.
func (s *holdingSource) position() xstream.ID {
	if low := s.ledger.lowest(); !low.IsZero() {
		return low.Prev()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cursor.Less(s.known) {
		return s.known
	}
	return s.cursor
}

func (s *holdingSource) know(position xstream.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = position
}

// learn asks where the group stands, while it can be asked.
func (s *holdingSource) learn(ctx context.Context) {
	known, err := within(ctx, s.holding.terms.timeout(), s.holding.lease.Position)
	if err != nil {
		return // it will not be missed, unless the group is lost soon
	}
	s.learned = known
}

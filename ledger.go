package redisstream

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// ledger is the one table of what a subscription holds: an ID enters it once,
// and leaves it when Redis has confirmed the ack, the release or the move to the
// dead letters, or has said that the entry is not ours. That makes it the only
// gate against handing an entry out twice, however many ways it may reach us:
// a read, a claim, a look through our own pending entries.
//
// Its lock is held for a change of state, never over Redis or a send.
type ledger struct {
	maxInFlight int
	// strict: what is given up may not be overtaken on its way to the dead letters, or it could
	// come again behind what was handled after it.
	strict bool

	// filled wakes the dispatcher, drained the reader. One token is enough:
	// whoever wakes looks at the state again.
	filled  chan struct{}
	drained chan struct{}
	fed     chan struct{} // wakes who looks after what is held, if nothing was

	mu          sync.Mutex // protects the following fields
	held        table
	buffer      []*entry        // not handed out, in the order of the stream
	inFlight    int             // handed out, or on the way
	unconfirmed int             // acked, and Redis has not confirmed it
	doomed      int             // on the way to the dead letters
	barred      int             // of those, what may not be overtaken yet
	orphans     map[*entry]bool // lost, and still with the caller
	stuck       bool            // the caller left so much waiting that it was given back
	pace        pace
	last        xstream.ID // the greatest ID ever admitted
	order       *keyOrder  // nil = none
	wanted      int        // the reader waits until it may ask for so many; 0 = it doesn't
}

func newLedger(maxInFlight int, p pace) *ledger {
	return &ledger{
		maxInFlight: maxInFlight,
		filled:      make(chan struct{}, 1),
		drained:     make(chan struct{}, 1),
		fed:         make(chan struct{}, 1),
		orphans:     map[*entry]bool{},
		pace:        p,
	}
}

// admission is how a batch of entries came to us.
type admission struct {
	// sent is when the command was sent that made them ours.
	sent time.Time
	// counted: the server's delivery count includes the hand-out to come.
	counted bool
	// cleared: the last hand-outs are known to have ended with a nack.
	cleared bool
}

// entryBlock is how many entries share an allocation, and stay as long as one of them.
const entryBlock = 16

// admit takes over entries that are not held yet.
func (l *ledger) admit(batch []xstream.Entry, a admission) {
	if len(batch) == 0 {
		return
	}
	entries := make([]*entry, len(batch))
	var block []entry
	now, sent := instantOf(time.Now()), instantOf(a.sent)
	for i := range batch {
		if len(block) == 0 {
			block = make([]entry, min(len(batch)-i, entryBlock))
		}
		e := &block[0]
		entries[i], block = e, block[1:]
		size := batch[i].Seal()
		e.Entry, e.size, e.admitted, e.confirmed, e.counted, e.cleared = batch[i], size, now, sent, a.counted, a.cleared
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.replace(entries) {
		d.ctx.end(ErrLeaseLost)
	}
	sorted := true
	for i := range batch {
		id := batch[i].ID
		e := entries[i]
		if !l.last.Less(id) { // else it never was here
			held := l.held.get(id)
			if held != nil && held.state != returning { // else it is back again already
				held.again(&batch[i], a)
				e.Drop()
				continue
			}
			if held != nil {
				l.drop(held)
				e.confirmed = instantOf(time.Time{}) // the way back may still be under way
			}
		}
		sorted = sorted && (len(l.buffer) == 0 || l.buffer[len(l.buffer)-1].ID.Less(id))
		l.held.put(e)
		e.listed = true
		l.buffer = append(l.buffer, e)
		if l.last.Less(id) {
			l.last = id
		}
		l.pace.admitted(e.size)
	}
	if !sorted {
		slices.SortFunc(l.buffer, func(a, b *entry) int { return a.ID.Compare(b.ID) })
	}
	wake(l.filled)
	wake(l.fed)
}

// next waits for an entry that may be handed out now, and for a slot to do so. It calls
// waits before it waits.
func (l *ledger) next(ctx context.Context, waits func()) *entry {
	for ctx.Err() == nil {
		if e := l.take(); e != nil {
			return e
		}
		waits()
		select {
		case <-l.filled:
		case <-ctx.Done():
		}
	}
	return nil
}

func (l *ledger) take() *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inFlight >= l.maxInFlight || l.full() || l.order == nil && l.barred > 0 {
		return nil
	}
	for len(l.buffer) > 0 {
		e := l.buffer[0]
		if e.busy {
			return nil
		}
		l.buffer[0] = nil
		l.buffer = l.buffer[1:]
		if l.order.before(e) != nil {
			l.order.park(e)
			continue
		}
		e.state = inFlight
		l.inFlight++
		l.order.hold(e)
		return e
	}
	l.stuck = false
	l.pace.starved()
	l.offerRoom()
	return nil
}

// assign notes the key of an entry that was taken, and the message that was made of it to
// learn the key. It reports false when another entry comes first: then this one waits
// for that. What was lost meanwhile gets no key.
func (l *ledger) assign(e *entry, key string, msg *message.Message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.keyed = &keyed{key: key, ahead: msg}
	if e.state != inFlight {
		return true
	}
	switch first := l.order.before(e); {
	case first == nil:
	case first.state == buffered && e.ID.Less(first.ID): // this one came late, as by a claim
		i := slices.Index(l.buffer, first)
		l.buffer = slices.Delete(l.buffer, i, i+1)
		l.order.park(first)
	default:
		l.inFlight--
		e.state = buffered
		l.order.park(e)
		return false
	}
	l.order.hold(e)
	return true
}

// endKey lets the next entry with the same key go on. The lock is held.
func (l *ledger) endKey(e *entry) {
	if next := l.order.leave(e); next != nil {
		next.admitted = instantOf(time.Now()) // from now on it waits for a slot
		l.buffer = insert(l.buffer, next)
	}
}

// offer notes that the entry is on its way to the caller. It reports false when
// the entry was lost meanwhile.
func (l *ledger) offer(e *entry, d *delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.state == lost {
		return false
	}
	e.delivery, e.counted, e.kept, e.cleared = d, false, false, false
	d.ctx.origin.deliveries = e.Deliveries
	return true
}

// received notes that the caller has the message, and since when.
func (l *ledger) received(d *delivery) {
	now := instantOf(time.Now())
	l.mu.Lock()
	defer l.mu.Unlock()
	d.since = now
}

// withdraw notes that the offer did not reach the caller.
func (l *ledger) withdraw(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.delivery, e.counted = nil, true
	delete(l.orphans, e)
}

// verified notes that the server counts the hand-out to come.
func (l *ledger) verified(e *entry, deliveries int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Deliveries, e.counted = deliveries, true
}

// confirm notes that the entry was ours when a command was sent.
func (l *ledger) confirm(e *entry, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.confirmed = instantOf(sent)
}

// again counts one more hand-out where no server does.
func (l *ledger) again(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Deliveries++
}

// wake leaves a token for a goroutine that waits, or will wait, on ch.
func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

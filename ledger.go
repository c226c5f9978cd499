package redisstream

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

const (
	// maxUnconfirmed bounds the acks that wait for an answer of Redis, so that an
	// outage can't make more of them than this come back as duplicates.
	maxUnconfirmed = 1024
	// maxDoomed bounds what can't be moved to the dead letters, and so the memory
	// that it takes. Only behind so much of it everything else has to wait.
	maxDoomed = 1 << 14
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

	// filled wakes the dispatcher, drained the reader. One token is enough:
	// whoever wakes looks at the state again.
	filled  chan struct{}
	drained chan struct{}

	mu          sync.Mutex // protects the following fields
	held        map[xstream.ID]*entry
	buffer      []*entry        // not handed out, in the order of the stream
	inFlight    int             // handed out, or on the way
	unconfirmed int             // acked, and Redis has not confirmed it
	doomed      int             // on the way to the dead letters
	orphans     map[*entry]bool // lost, and still with the caller
	stuck       bool            // the caller left so much waiting that it was given back
	pace        pace
	last        xstream.ID // the greatest ID ever admitted
	wanted      int        // the reader waits until it may ask for so many; 0 = it doesn't
}

func newLedger(maxInFlight int, p pace) *ledger {
	return &ledger{
		maxInFlight: maxInFlight,
		filled:      make(chan struct{}, 1),
		drained:     make(chan struct{}, 1),
		held:        map[xstream.ID]*entry{},
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
}

// admit takes over entries that are not held yet.
func (l *ledger) admit(batch []xstream.Entry, a admission) {
	if len(batch) == 0 {
		return
	}
	entries := make([]entry, len(batch)) // one allocation for all
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	sorted := true
	for i := range batch {
		id := batch[i].ID
		if held := l.held[id]; held != nil && held.state != returning { // else it is back again already
			held.again(&batch[i], a)
			continue
		}
		e := &entries[i]
		e.Entry, e.id, e.confirmed, e.admitted, e.counted = batch[i], id.String(), a.sent, now, a.counted
		if l.held[id] != nil {
			e.confirmed = time.Time{} // the way back may still be under way
		}
		e.deliveries = batch[i].Deliveries
		sorted = sorted && (len(l.buffer) == 0 || l.buffer[len(l.buffer)-1].ID.Less(id))
		l.held[id] = e
		l.buffer = append(l.buffer, e)
		if l.last.Less(id) {
			l.last = id
		}
		l.pace.admitted(e.Size())
	}
	if !sorted {
		slices.SortFunc(l.buffer, func(a, b *entry) int { return a.ID.Compare(b.ID) })
	}
	wake(l.filled)
}

// next waits for an entry that may be handed out now, and for a slot to do so.
func (l *ledger) next(ctx context.Context) *entry {
	for ctx.Err() == nil {
		if e := l.take(); e != nil {
			return e
		}
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
	if l.inFlight >= l.maxInFlight || l.full() {
		return nil
	}
	if len(l.buffer) == 0 {
		l.stuck = false
		l.pace.starved()
		l.offerRoom()
		return nil
	}
	e := l.buffer[0]
	if e.busy {
		return nil
	}
	l.buffer[0] = nil
	l.buffer = l.buffer[1:]
	e.state = inFlight
	l.inFlight++
	return e
}

// room waits until entries can be taken over and says how many.
func (l *ledger) room(ctx context.Context) int {
	for {
		if n := l.free(); n > 0 {
			return n
		}
		select {
		case <-l.drained:
		case <-ctx.Done():
			return 0
		}
	}
}

// free is how many entries a read may ask for. Reads that top up a buffer wait
// until half of it is used, because a read of one entry costs as much as a read
// of a hundred.
func (l *ledger) free() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = 1
	if l.full() || l.stuck {
		return 0
	}
	slots := l.maxInFlight - l.inFlight
	target := l.pace.target(time.Now(), slots)
	free := target - len(l.buffer)
	if slots == 0 {
		free-- // the one in hand is part of the target
	}
	l.wanted = max((target+1)/2, 1)
	if free < l.wanted {
		return 0
	}
	l.wanted = 0
	return free
}

// offerRoom wakes the reader if there may be as much room as it waits for. The
// lock is held. The caller's rate is not looked at again, so the reader may find
// that it has to wait longer.
func (l *ledger) offerRoom() {
	if l.stuck || l.full() {
		return
	}
	wanted := min(l.wanted, max((l.pace.want+1)/2, 1)) // the pace may have slowed down since
	free := l.pace.want - len(l.buffer)
	if l.inFlight >= l.maxInFlight {
		free--
	}
	if l.wanted > 0 && free >= wanted {
		l.wanted = 0
		wake(l.drained)
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
	e.delivery, e.counted, e.kept = d, false, false
	d.ctx.origin.deliveries = e.deliveries
	return true
}

// withdraw notes that the offer did not reach the caller.
func (l *ledger) withdraw(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.delivery, e.counted = nil, true
	delete(l.orphans, e)
}

// settle ends a hand-out. What the server has to confirm stays held.
func (l *ledger) settle(e *entry, s state) (held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.stuck = false
	l.pace.consumed()
	e.delivery = nil
	wake(l.filled)
	l.offerRoom()
	if e.state == lost {
		delete(l.orphans, e)
		return false
	}
	e.state = s
	switch s {
	case acked:
		l.unconfirmed++
	case undecodable:
		l.doomed++
	case forgotten:
		l.drop(e)
	default:
	}
	return true
}

// drop ends the holding of an entry, unless it is held anew. The lock is held.
func (l *ledger) drop(e *entry) {
	if l.held[e.ID] == e {
		delete(l.held, e.ID)
	}
}

// forget removes what the server has confirmed.
func (l *ledger) forget(entries []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		l.confirmed(e.state)
		e.settled = e.settled || e.state == acked || e.state == undecodable
		e.state = forgotten
		l.drop(e)
	}
	wake(l.filled)
	l.offerRoom()
}

// confirmed notes that the server knows what became of an entry. The lock is held.
func (l *ledger) confirmed(s state) {
	switch s {
	case acked:
		l.unconfirmed--
	case undecodable:
		l.doomed--
	default:
	}
}

// full reports whether too much waits for the server. The lock is held.
func (l *ledger) full() bool { return l.unconfirmed >= maxUnconfirmed || l.doomed >= maxDoomed }

// lose notes that the server says the entry is not ours. If it is in flight, it
// keeps its slot until the caller settles it. It reports false for an entry that
// was settled or lost before.
func (l *ledger) lose(e *entry) (d *delivery, lostNow bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[e.ID] != e || e.state == acked {
		return nil, false
	}
	delete(l.held, e.ID)
	l.confirmed(e.state)
	wake(l.filled)
	e.state = lost
	if e.delivery != nil {
		l.orphans[e] = true
	}
	l.buffer = slices.DeleteFunc(l.buffer, func(b *entry) bool { return b == e })
	l.offerRoom()
	return e.delivery, true
}

// unbuffer takes everything that waits, for its release.
func (l *ledger) unbuffer() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.buffer
	l.buffer = nil
	for _, e := range out {
		e.state = returning
	}
	l.pace.slow()
	l.stuck = l.stuck || len(out) > 0
	return out
}

// rebuffer takes back what could not be released. Nobody knows whether the
// server still counts it as ours, so it is verified before it is handed out.
func (l *ledger) rebuffer(entries []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if e.state == returning && l.held[e.ID] == e {
			e.state, e.confirmed = buffered, time.Time{}
			l.buffer = append(l.buffer, e)
		}
	}
	slices.SortFunc(l.buffer, func(a, b *entry) int { return a.ID.Compare(b.ID) })
	wake(l.filled)
}

// verified notes that the server counts the hand-out to come.
func (l *ledger) verified(e *entry, deliveries int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.deliveries, e.counted = deliveries, true
}

// confirm notes that the entry was ours when a command was sent.
func (l *ledger) confirm(e *entry, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.confirmed = sent
}

// again counts one more hand-out where no server does.
func (l *ledger) again(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.deliveries++
}

// keep marks buffered entries as ours for as long as it takes, and returns those
// whose count includes a hand-out that will be long in coming. They are not handed
// out until ready is called, because their counts are about to change.
func (l *ledger) keep(entries []*entry) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var counted []*entry
	for _, e := range entries {
		e.kept = true
		if e.state == buffered && e.counted {
			e.busy = true
			counted = append(counted, e)
		}
	}
	return counted
}

// ready ends what keep began. Whether the server's counts have changed may not be
// known, so the next hand-out has to be counted in any case.
func (l *ledger) ready(entries []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if e.busy && e.counted {
			e.deliveries, e.counted = e.handOuts(), false
		}
		e.busy = false
	}
	wake(l.filled)
}

// wake leaves a token for a goroutine that waits, or will wait, on ch.
func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

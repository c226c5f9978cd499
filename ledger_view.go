package redisstream

import (
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// What others ask of the ledger. Nothing here changes it.

// due says whether an entry has to be verified before it is handed out: nobody
// has confirmed for so long that it is ours, or the hand-out is not in its count.
func (l *ledger) due(e *entry, age time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !e.counted || e.confirmed < instantOf(time.Now().Add(-age))
}

// isCounted reports whether the hand-out to come is in the server's count.
func (l *ledger) isCounted(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.counted
}

// counted lists what the server has counted a hand-out of that has not happened.
func (l *ledger) counted() []*entry { return l.list(func(e *entry) bool { return e.counted }) }

// lowest is the lowest ID that is held; zero if there is none.
func (l *ledger) lowest() xstream.ID {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lowest xstream.ID
	for e := range l.held.all() {
		if lowest.IsZero() || e.ID.Less(lowest) {
			lowest = e.ID
		}
	}
	return lowest
}

// hasDoomed reports whether something is on its way to the dead letters.
func (l *ledger) hasDoomed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.doomed > 0
}

// handOuts is how often the entry was handed out in its group.
func (l *ledger) handOuts(e *entry) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.handOuts()
}

// handedOut returns the entries with counts of their real hand-outs alone.
func (l *ledger) handedOut(entries []*entry) []xstream.Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]xstream.Count, len(entries))
	for i, e := range entries {
		out[i] = xstream.Count{ID: e.IDText(), Deliveries: e.handOuts()}
	}
	return out
}

// counts returns the entries with the server's counts as we know them.
func (l *ledger) counts(entries []*entry) []xstream.Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]xstream.Count, len(entries))
	for i, e := range entries {
		out[i] = xstream.Count{ID: e.IDText(), Deliveries: e.Deliveries}
	}
	return out
}

// nextCounts is nextCount for several.
func (l *ledger) nextCounts(entries []*entry) []xstream.Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]xstream.Count, len(entries))
	for i, e := range entries {
		out[i] = xstream.Count{ID: e.IDText(), Deliveries: e.handOuts() + 1}
	}
	return out
}

// nextCount is the server's count when it includes the hand-out to come.
func (l *ledger) nextCount(e *entry) xstream.Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	return xstream.Count{ID: e.IDText(), Deliveries: e.handOuts() + 1}
}

// isLost reports whether the server said that the entry is not ours.
func (l *ledger) isLost(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.state == lost
}

// confirmedAt is when the last command was sent that confirmed that the entry is
// ours.
func (l *ledger) confirmedAt(e *entry) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.confirmed.time()
}

// toRenew lists what has to be renewed: in flight, acked and not confirmed, or kept
// in the buffer, and not confirmed since a time.
func (l *ledger) toRenew(since time.Time) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*entry
	for e := range l.held.all() {
		renew := e.state == inFlight || e.state == acked || e.state == condemned || e.state == buffered && e.kept
		if renew && e.confirmed < instantOf(since) {
			out = append(out, e)
		}
	}
	return out
}

// waiting lists what unhoard would take.
func (l *ledger) waiting(since time.Time) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.order.waiting(keyIsLost(since))
	if l.hoards(since) {
		out = slices.Concat(l.buffer, l.order.waiting(keyIsNext), out)
	}
	return out
}

// hoards reports whether the head of the buffer has waited since before a time. The lock is
// held.
func (l *ledger) hoards(since time.Time) bool {
	return len(l.buffer) > 0 && l.buffer[0].admitted < instantOf(since)
}

// blocked lists what has waited for its key since before a time, and is not kept.
func (l *ledger) blocked(since time.Time) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(l.order.waiting(anyKey), func(e *entry) bool { return e.kept || e.admitted >= instantOf(since) })
}

// all lists everything that is held, in the order of the stream.
func (l *ledger) all() []*entry { return l.list(func(*entry) bool { return true }) }

// unsettled lists what is held and not acked by the caller.
func (l *ledger) unsettled() []*entry { return l.list(func(e *entry) bool { return e.state != acked }) }

func (l *ledger) list(keep func(*entry) bool) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*entry, 0, l.held.len())
	for e := range l.held.all() {
		if keep(e) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *entry) int { return a.ID.Compare(b.ID) })
	return out
}

// holds reports whether an ID is in the table.
func (l *ledger) holds(id xstream.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held.get(id) != nil
}

// size is how many entries are held.
func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held.len()
}

// neverHandedOut counts what the caller has not seen.
func (l *ledger) neverHandedOut() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for e := range l.held.all() {
		if e.state == buffered || e.state == inFlight && e.delivery == nil {
			n++
		}
	}
	return n
}

// overdue lists what the caller has had since before a time. A nacked message is
// with nobody, however long it waits in its place.
func (l *ledger) overdue(since time.Time) []*entry {
	return l.list(func(e *entry) bool {
		d := e.delivery
		return d != nil && d.since != 0 && d.since < instantOf(since) && !d.isAcked()
	})
}

// deliveryOf is what the caller has of an entry, or nil, and the UUID of its message.
func (l *ledger) deliveryOf(e *entry) (d *delivery, uuid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.delivery == nil {
		return nil, ""
	}
	return e.delivery, e.delivery.msg.UUID
}

// nackAll nacks what the caller has.
func (l *ledger) nackAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.deliveries() {
		d.msg.Nack()
	}
}

// deliveriesInFlight lists what the caller has, also of entries that are lost.
func (l *ledger) deliveriesInFlight() []*delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deliveries()
}

// deliveries is deliveriesInFlight with the lock held.
func (l *ledger) deliveries() []*delivery {
	var out []*delivery
	for e := range l.held.all() {
		if e.delivery != nil {
			out = append(out, e.delivery)
		}
	}
	for e := range l.orphans {
		out = append(out, e.delivery)
	}
	return out
}

// isExpired reports whether an entry was taken away from its handler.
func (l *ledger) isExpired(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.expired
}

// isCleared reports whether the last hand-out of an entry ended with a nack.
func (l *ledger) isCleared(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.cleared
}

// heldAnew reports whether the entry was given back, and has come to us again.
func (l *ledger) heldAnew(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := l.held.get(e.ID)
	return held != nil && held != e
}

// isSettled reports whether an entry is acked, or was moved to the dead letters.
func (l *ledger) isSettled(e *entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.state == acked || e.settled
}

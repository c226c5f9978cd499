package redisstream

import (
	"slices"
)

// How entries leave the ledger.

// settle ends a hand-out. What the server has to confirm stays held.
func (l *ledger) settle(e *entry, s state) (held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.stuck = false
	if e.bars = l.strict && s == condemned && e.state != lost; e.bars {
		l.barred++
	} else {
		l.endKey(e)
	}
	l.pace.consumed()
	e.delivery, e.first.msg = nil, nil // the entries beside it may stay for long
	wake(l.filled)
	l.offerRoom()
	if e.state == lost {
		delete(l.orphans, e)
		e.Drop()
		return false
	}
	e.state = s
	switch s {
	case acked:
		l.unconfirmed++
		e.Drop() // others of its batch may stay for long
	case condemned:
		l.doomed++
	case forgotten:
		l.drop(e)
		e.Drop()
	default:
	}
	return true
}

// failed notes that a hand-out has ended without an ack. The entry keeps its slot,
// and is with no handler until it is offered again.
func (l *ledger) failed(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.delivery, e.cleared = nil, true
	delete(l.orphans, e)
}

// leaving notes that an entry goes back to the group, and may come again before
// we know that it has gone. It keeps its slot until it is settled.
func (l *ledger) leaving(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.state != lost {
		e.state = returning
	}
}

// drop ends the holding of an entry, unless it is held anew. The lock is held.
func (l *ledger) drop(e *entry) {
	if e.listed {
		l.held.remove(e)
		e.listed = false
	}
}

// forget removes what the server has confirmed.
func (l *ledger) forget(entries []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		l.unbar(e)
		l.confirmed(e.state)
		e.settled = e.settled || e.state == acked || e.state == condemned
		e.state = forgotten
		l.drop(e)
		e.Drop()
		e.keyed = nil // its message may be large
	}
	wake(l.filled)
	l.offerRoom()
}

// overtake lets others go on before an entry is where it belongs.
func (l *ledger) overtake(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unbar(e)
	wake(l.filled)
}

// unbar is overtake with the lock held.
func (l *ledger) unbar(e *entry) {
	if e.bars {
		e.bars = false
		l.barred--
		l.endKey(e)
	}
}

// confirmed notes that the server knows what became of an entry. The lock is held.
func (l *ledger) confirmed(s state) {
	switch s {
	case acked:
		l.unconfirmed--
	case condemned:
		l.doomed--
	default:
	}
}

// lose notes that the server says the entry is not ours. If it is in flight, it
// keeps its slot until the caller settles it. It reports false for an entry that
// was settled or lost before.
func (l *ledger) lose(e *entry) (d *delivery, lostNow bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !e.listed || e.state == acked {
		return nil, false
	}
	return l.loseLocked(e), true
}

func (l *ledger) loseLocked(e *entry) *delivery {
	l.drop(e)
	l.unbar(e)
	s := e.state
	l.confirmed(s)
	wake(l.filled)
	e.state = lost
	if e.delivery != nil {
		l.orphans[e] = true
	}
	if s != inFlight { // else who has it still settles it
		l.buffer = slices.DeleteFunc(l.buffer, func(b *entry) bool { return b == e })
		l.endKey(e)
	}
	l.offerRoom()
	return e.delivery
}

// replace drops what is held under the IDs of other entries, and returns what of it is with the
// caller. A master that takes over without the last entries of the one before gives out their IDs
// anew; the old entries are gone, and what is still done to them must not settle the new ones.
// The lock is held.
func (l *ledger) replace(batch []*entry) (out []*delivery) {
	for _, e := range batch {
		if l.last.Less(e.ID) {
			break // and so is what comes behind it
		}
		for orphan := range l.orphans {
			orphan.replaced = orphan.replaced || orphan.ID == e.ID && orphan.IsOther(&e.Entry)
		}
		held := l.held.get(e.ID)
		if held == nil || !held.IsOther(&e.Entry) {
			continue
		}
		if held.replaced = true; held.state == acked {
			l.drop(held)
		} else if d := l.loseLocked(held); d != nil {
			out = append(out, d)
		}
	}
	return out
}

// loseAll is lose for everything, acked or not. It returns what is with the caller.
func (l *ledger) loseAll() []*delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*delivery
	for _, e := range slices.Collect(l.held.all()) {
		l.drop(e)
		l.confirmed(e.state)
		l.unbar(e)
		e.state = lost
		if e.delivery != nil {
			l.orphans[e] = true
			out = append(out, e.delivery)
		}
	}
	l.order.release(anyKey)
	l.buffer = nil
	wake(l.filled)
	l.offerRoom()
	return out
}

// expire is lose for what was taken away from a handler.
func (l *ledger) expire(e *entry) *delivery {
	d, _ := l.lose(e)
	if d != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		e.expired = true
	}
	return d
}

// withoutReplaced removes what was acked and whose ID is another entry's now.
func (l *ledger) withoutReplaced(entries []*entry) []*entry {
	l.mu.Lock()
	rest, gone := entries[:0], []*entry(nil)
	for _, e := range entries {
		if e.replaced {
			gone = append(gone, e)
		} else {
			rest = append(rest, e)
		}
	}
	l.mu.Unlock()
	if len(gone) > 0 {
		l.forget(gone)
	}
	return rest
}

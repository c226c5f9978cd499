package redisstream

import (
	"slices"
	"time"
)

// What becomes of entries that have to wait in the ledger for too long.

// unbuffer takes everything that waits, for its release.
func (l *ledger) unbuffer() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unload(anyKey)
}

// unhoard takes what has waited since before a time, if nobody here is about to have it,
// for its release. full says that this is the whole buffer. What waits for a message with
// its key that is in hand here stays: elsewhere it would overtake that.
func (l *ledger) unhoard(since time.Time) (out []*entry, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stranded := l.order.release(keyIsLost(since))
	leaving(stranded)
	if !l.hoards(since) {
		return stranded, false
	}
	return append(l.unload(keyIsNext), stranded...), true
}

// unload takes out the buffer, and what waits for its key as far as which says. The lock
// is held.
func (l *ledger) unload(which func(holder, first *entry) bool) []*entry {
	out := append(l.buffer, l.order.release(which)...)
	l.order.giveUp(l.buffer)
	l.buffer = nil
	leaving(out)
	l.pace.slow()
	l.stuck = l.stuck || len(out) > 0
	return out
}

func leaving(entries []*entry) {
	for _, e := range entries {
		e.state = returning
	}
}

// rebuffer takes back what could not be released. Nobody knows whether the
// server still counts it as ours, so it is verified before it is handed out.
func (l *ledger) rebuffer(entries []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if e.state == returning && e.listed {
			e.state, e.confirmed = buffered, instantOf(time.Time{})
			l.buffer = append(l.buffer, e)
		}
	}
	slices.SortFunc(l.buffer, func(a, b *entry) int { return a.ID.Compare(b.ID) })
	wake(l.filled)
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
			e.Deliveries, e.counted = e.handOuts(), false
		}
		e.busy = false
	}
	wake(l.filled)
}

// countAhead returns up to n entries that wait, whose next hand-outs are to be counted, and whose
// counts stay below a bound then. They are not handed out until freed is called.
func (l *ledger) countAhead(n int, bound int64) []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*entry
	for _, e := range l.buffer {
		if len(out) == n {
			break
		}
		if !e.counted && !e.busy && e.handOuts()+1 < bound {
			e.busy = true
			out = append(out, e)
		}
	}
	return out
}

// freed ends what countAhead began.
func (l *ledger) freed(entries []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		e.busy = false
	}
	wake(l.filled)
}

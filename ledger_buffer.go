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
		if e.state == returning && e.listed {
			e.state, e.confirmed = buffered, time.Time{}
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
			e.deliveries, e.counted = e.handOuts(), false
		}
		e.busy = false
	}
	wake(l.filled)
}

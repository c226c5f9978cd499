package redisstream

import (
	"context"
	"time"
)

// How much the ledger takes in.

const (
	// maxUnconfirmed bounds the acks that wait for an answer of Redis, so that an
	// outage can't make more of them than this come back as duplicates. It is for what is
	// acked during two reads: the acks wait behind those.
	maxUnconfirmed = 2048
	// maxDoomed bounds what can't be moved to the dead letters, and so the memory
	// that it takes. Only behind so much of it everything else has to wait.
	maxDoomed = 1 << 14
)

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

// worthReading is how much of a buffer has to be free before it is topped up: a read
// of one entry costs as much as a read of a hundred.
func worthReading(target int) int { return max(min((target+1)/2, maxRead), 1) }

// free is how many entries a read may ask for.
func (l *ledger) free() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = 1
	if l.full() || l.stuck || l.order.full() {
		return 0
	}
	slots := l.maxInFlight - l.inFlight
	target := l.pace.target(time.Now(), slots)
	free := target - len(l.buffer)
	if slots == 0 {
		free-- // the one in hand is part of the target
	}
	l.wanted = worthReading(target)
	if free < l.wanted {
		return 0
	}
	l.wanted = 0
	return min(free, maxRead)
}

// offerRoom wakes the reader if there may be as much room as it waits for. The
// lock is held. The caller's rate is not looked at again, so the reader may find
// that it has to wait longer.
func (l *ledger) offerRoom() {
	if l.stuck || l.full() || l.order.full() {
		return
	}
	wanted := min(l.wanted, worthReading(l.pace.want)) // the pace may have slowed down since
	free := l.pace.want - len(l.buffer)
	if l.inFlight >= l.maxInFlight {
		free--
	}
	if l.wanted > 0 && free >= wanted {
		l.wanted = 0
		wake(l.drained)
	}
}

// full reports whether too much waits for the server. The lock is held.
func (l *ledger) full() bool { return l.unconfirmed >= maxUnconfirmed || l.doomed >= maxDoomed }

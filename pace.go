package redisstream

import "time"

const (
	// paceWindow is the time a full buffer should last. A buffer that lasts
	// longer hoards what other consumers could work on.
	paceWindow = 100 * time.Millisecond

	// maxPrefetch is three reads: one that is worked on, one at hand for a caller who is faster
	// for a moment, and one under way.
	maxPrefetch      = 3 * maxRead
	maxPrefetchBytes = 8 << 20
	// maxRead entries keep the server busy for half a millisecond.
	maxRead = 512
	// hugeEntry ends prefetching: one read of 512 of them would be 512 MiB.
	hugeEntry = 1 << 20
)

// pace decides how many entries to have at hand: one at the start, twice as many
// each time the caller had to wait, and never more than the caller has settled
// in the last window. It is not safe for concurrent use; the ledger's lock
// protects it.
type pace struct {
	limit int // the most it may grow to
	bytes int // the most that may be at hand, about
	want  int

	settled  [2]int // in this window and in the one before
	window   time.Time
	entryMax int // a maximum of entry sizes that decays
}

func newPace(limit int) pace { return pace{limit: limit, bytes: maxPrefetchBytes, want: 1} }

// starved says that the caller could have had another entry.
func (p *pace) starved() { p.want = min(p.want*2, p.limit) }

// slow starts over, because what was at hand had to wait too long.
func (p *pace) slow() { p.want, p.settled = 1, [2]int{} }

// consumed says that the caller has settled an entry.
func (p *pace) consumed() { p.settled[0]++ }

// admitted learns the size of an entry.
func (p *pace) admitted(size int) {
	p.entryMax = max(size, p.entryMax-p.entryMax/64)
	if size > hugeEntry {
		p.want = 1
	}
}

// target is how many entries to have at hand, for a caller that has so many slots
// free. It is never more than what fills the slots or was settled lately.
func (p *pace) target(now time.Time, slots int) int {
	if age := now.Sub(p.window); age >= paceWindow {
		p.settled[1] = p.settled[0]
		if age >= 2*paceWindow {
			p.settled[1] = 0
		}
		p.settled[0], p.window = 0, now
	}
	lately := max(p.settled[0], p.settled[1])
	target := min(p.want, max(lately+1, slots))
	if p.entryMax > 0 {
		target = min(target, p.bytes/p.entryMax)
	}
	if p.entryMax > hugeEntry {
		return 1
	}
	return max(target, 1)
}

package redisstream

import "time"

// maxSlack bounds how much longer than usual the reply to a single entry may
// take.
const maxSlack = 30 * time.Second

// appetite bounds what one command may ask for. A reply that does not arrive in
// time may have been too large for the line, and to ask for the same again would
// not end: so each time it is half as much, and at last more time for a single
// entry. It belongs to the reader's goroutine.
type appetite struct {
	most  int           // 0 = no bound
	slack time.Duration // on top of the usual time
}

// bound is how many entries to ask for, with room for so many.
func (a *appetite) bound(room int) int {
	if a.most == 0 {
		return room
	}
	return min(room, a.most)
}

// unanswered notes that no reply came in time for so many entries. The end of a
// connection does not count: that happens to idle ones, and has nothing to do with
// what was asked for.
func (a *appetite) unanswered(asked int) {
	a.most = max(asked/2, 1)
	if asked == 1 {
		a.slack = min(max(2*a.slack, time.Second), maxSlack)
	}
}

// answered notes that a reply came.
func (a *appetite) answered() {
	a.slack /= 4
	if a.most *= 2; a.most > maxRead {
		a.most = 0
	}
}

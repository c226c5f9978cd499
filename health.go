package redisstream

import (
	"sync"
	"time"
)

// health knows since when Redis has answered this subscription without an error
// or a delay.
//
// Idle times grow while a server is down or frozen, so afterwards the entries of
// every live consumer look abandoned. Who claims first would rob them all;
// instead, everybody waits long enough for the living to renew. The same goes for a
// time in which Redis refuses what is needed to renew, as without the right to it.
type health struct {
	slow time.Duration // an answer that took longer counts as an outage

	mu    sync.Mutex // protects the following fields
	since time.Time
}

func newHealth(slow time.Duration) *health { return &health{slow: slow, since: time.Now()} }

// note records how a command went that was sent at a time.
func (h *health) note(sent time.Time, err error) {
	now := time.Now()
	if err == nil && now.Sub(sent) < h.slow {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since = now
}

// age is how long Redis has been well.
func (h *health) age() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.since)
}

package redisstream

import "time"

// terms are the times of a lease.
type terms struct {
	ttl time.Duration
}

// tick is the time to the next renewal. Two may fail before anything is lost.
func (t terms) tick() time.Duration { return untilTick(t.ttl / 3) }

// timeout bounds a command. Three attempts have to fit before the right is over.
func (t terms) timeout() time.Duration { return t.ttl / 5 }

// retryPause is how long to wait after so many failures in a row.
func (t terms) retryPause(failures int) time.Duration {
	return jitter(growing(min(100*time.Millisecond, t.timeout()), 2, t.timeout(), failures))
}

// until is when a right ends that was asked for at a time. The server counts from later;
// the margin is for clocks that don't run alike and for handlers that have to notice.
func (t terms) until(sent time.Time) time.Time {
	return sent.Add(t.ttl - max(t.ttl/10, 50*time.Millisecond))
}

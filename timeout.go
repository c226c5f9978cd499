package redisstream

import "time"

// minTimeout keeps a timeout that has passed from spinning.
const minTimeout = 50 * time.Millisecond

// timeout is a timer that is made when it is first needed, and goes on when what it was
// set for is over: who waits again and again needs not set it each time. So it may
// pass too early, but not too late. Its zero value never passes.
type timeout struct {
	timer *time.Timer
	at    time.Time // when it passes; zero = it is not set
}

// set has it pass at a time, or before.
func (t *timeout) set(at time.Time) {
	if !t.at.IsZero() && !at.Before(t.at) {
		return
	}
	t.at = time.Time{}
	t.start(max(time.Until(at), minTimeout))
}

// start has it pass after a time, if it is not set.
func (t *timeout) start(d time.Duration) {
	if !t.at.IsZero() {
		return
	}
	t.at = time.Now().Add(d)
	if t.timer == nil {
		t.timer = time.NewTimer(d)
		return
	}
	t.timer.Reset(d)
}

func (t *timeout) passed() <-chan time.Time {
	if t.timer == nil {
		return nil
	}
	return t.timer.C
}

// over notes that it has passed.
func (t *timeout) over() { t.at = time.Time{} }

func (t *timeout) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

package redisstream

import "time"

// minTimeout keeps a timeout that has passed from spinning.
const minTimeout = 50 * time.Millisecond

// timeout is a timer that is made when it is first needed, and can be set again and
// again. Its zero value never passes.
type timeout struct{ timer *time.Timer }

// set has it pass after a time.
func (t *timeout) set(d time.Duration) {
	d = max(d, minTimeout)
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

func (t *timeout) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

package redisstream

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// retryFirst and retryMax bound the pause between attempts to reach Redis. A
	// refused connection is answered at once, so the first pause is not zero.
	retryFirst = 50 * time.Millisecond
	retryMax   = time.Second
)

// retryPause is how long to wait after so many failures in a row, from 1.
func retryPause(failures int) time.Duration {
	return jitter(growing(retryFirst, 2, retryMax, failures))
}

// DefaultNackBackoff is the pause before a nacked message is handed out again:
// none after the first nack, then 1 ms, and four times as much after each one up to
// a second, all but the first with a random part. So a message that fails a few
// times holds up little, and one that always fails does not spin. attempt counts
// from 1.
func DefaultNackBackoff(attempt int) time.Duration {
	if attempt <= 1 {
		return 0
	}
	return jitter(growing(time.Millisecond, 4, time.Second, attempt-1))
}

func growing(first time.Duration, factor int, most time.Duration, n int) time.Duration {
	d := first
	for ; n > 1 && d < most; n-- {
		d *= time.Duration(factor)
	}
	return min(d, most)
}

// jitter returns a time between the half of d and d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// pause waits, and reports whether the time passed before the context ended.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package cases

import (
	"context"
	"fmt"
	"sync/atomic"
)

// countdown closes zero when a number of messages have been counted.
type countdown struct {
	left atomic.Int64
	zero chan struct{}
}

func newCountdown(n int) *countdown {
	c := &countdown{zero: make(chan struct{})}
	c.left.Store(int64(n))
	return c
}

func (c *countdown) one() {
	if c.left.Add(-1) == 0 {
		close(c.zero)
	}
}

// await waits until all have been counted.
func (c *countdown) await(ctx context.Context) error {
	select {
	case <-c.zero:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d messages are missing: %w", c.left.Load(), ctx.Err())
	}
}

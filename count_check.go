package redisstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// recheckAfter is for how long it counts that the number of a topic's partitions was right.
const recheckAfter = 5 * time.Second

var errCheckAbandoned = errors.New("the check of the number of partitions was given up")

// countCheck checks now and then that a topic has as many partitions as its publisher
// thinks. There is no goroutine for it: one of those that publish asks, and the others go
// on meanwhile if the answer before was good.
type countCheck struct {
	ask     func(ctx context.Context) error // a *PartitionsError says that it is not so
	skipped func(err error)                 // told of an error that changes nothing

	due atomic.Pointer[time.Time] // until when a good answer counts; nil without one

	mu      sync.Mutex     // protects the following field, and writes of due
	pending *countQuestion // nil while nobody asks
}

// countQuestion is one that somebody asks.
type countQuestion struct {
	again bool          // the answer before was good
	done  chan struct{} // closed behind the answer
	err   error
}

// do returns nil when the number is right. The context ends the wait for somebody else's
// question, but no question: others may wait for it.
func (c *countCheck) do(ctx context.Context) error {
	due := c.due.Load()
	if due != nil && time.Now().Before(*due) {
		return nil
	}
	q, mine := c.join(due)
	switch {
	case q == nil:
		return nil
	case mine:
		c.run(context.WithoutCancel(ctx), q)
		return q.err
	}
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns the question to wait for, if there is one, and whether it is the caller's
// to ask. due is what the caller has seen.
func (c *countCheck) join(due *time.Time) (q *countQuestion, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch now := c.due.Load(); {
	case now != nil && (now != due || c.pending != nil):
		return nil, false // somebody has just asked again, or does
	case c.pending != nil:
		return c.pending, false
	default:
		c.pending = &countQuestion{again: now != nil, done: make(chan struct{}), err: errCheckAbandoned}
		return c.pending, true
	}
}

// run asks. Where there is no answer, one that was good before counts for longer: it is
// no reason to stop publishing that the node with the number is away.
func (c *countCheck) run(ctx context.Context, q *countQuestion) {
	from := time.Now()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		var due *time.Time
		if q.err == nil {
			until := from.Add(recheckAfter)
			due = &until
		}
		c.due.Store(due)
		c.pending = nil
		close(q.done)
	}()
	q.err = c.ask(ctx)
	var other *PartitionsError
	if q.again && q.err != nil && !errors.As(q.err, &other) && xstream.Classify(q.err) == xstream.Transient {
		c.skipped(q.err)
		q.err, from = nil, time.Now() // it may have taken longer than the answer counts
	}
}

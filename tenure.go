package redisstream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// tenure is our right to a partition, as far as we know without asking: until when
// nobody else can have it, and whether there is a reason to doubt that.
type tenure struct {
	right atomic.Pointer[right]

	mu      sync.Mutex    // held for a change
	changed chan struct{} // closed by the next one
}

// right is one state of a tenure.
type right struct {
	until     time.Time // by the monotonic clock
	wall      int64     // the same by the other one, in ns: the first may stand still with the machine
	suspended bool
	doubted   time.Time // since when it is
	over      bool
}

func newTenure() *tenure {
	t := &tenure{changed: make(chan struct{})}
	t.right.Store(&right{})
	return t
}

// change makes a new state of the present one, unless that is the last.
func (t *tenure) change(f func(r *right)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := *t.right.Load()
	if next.over {
		return false
	}
	f(&next)
	t.right.Store(&next)
	close(t.changed)
	t.changed = make(chan struct{})
	return true
}

// extend notes that the right was confirmed until a time, in an answer to what was sent at
// another. What was in doubt before that is not any more.
func (t *tenure) extend(until, sent time.Time) {
	t.change(func(r *right) {
		r.until, r.wall, r.suspended = until, until.UnixNano(), r.suspended && r.doubted.After(sent)
	})
}

// suspend notes a doubt, until the right is confirmed again.
func (t *tenure) suspend() { t.change(func(r *right) { r.suspended, r.doubted = true, time.Now() }) }

// finish ends the right. It reports false if it was over.
func (t *tenure) finish() bool { return t.change(func(r *right) { r.over = true }) }

func (t *tenure) isOver() bool { return t.right.Load().over }

// inTime reports whether nobody else can have the partition yet.
func (t *tenure) inTime() bool {
	r := t.right.Load()
	return !r.over && r.left() > 0
}

// holds reports whether there is no doubt either.
func (t *tenure) holds() bool {
	r := t.right.Load()
	return !r.over && !r.suspended && r.left() > 0
}

// left is for how long nobody else can have the partition.
func (t *tenure) left() time.Duration { return t.right.Load().left() }

func (r *right) left() time.Duration {
	now := time.Now()
	return min(r.until.Sub(now), time.Duration(r.wall-now.UnixNano()))
}

// await waits until the right is there and without doubt. It reports false when it is
// over, or ctx ends.
func (t *tenure) await(ctx context.Context) bool {
	return t.until(ctx, func(r *right) bool { return !r.suspended && r.left() > 0 })
}

// undoubted waits until there is no doubt, and maybe no time left. It is for what the
// server looks after by itself.
func (t *tenure) undoubted(ctx context.Context) bool {
	return t.until(ctx, func(r *right) bool { return !r.suspended })
}

// next is closed by the next change.
func (t *tenure) next() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

func (t *tenure) until(ctx context.Context, good func(r *right) bool) bool {
	for {
		changed := t.next()
		switch r := t.right.Load(); {
		case r.over:
			return false
		case good(r):
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

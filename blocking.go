package redisstream

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// firstDial is how long the first attempt to connect may take; each further one has twice
// as long.
const firstDial = time.Second

// blocking is a connection of its own for blocking reads, which are never cancelled but
// ended by the server, so that what it has assigned to us arrives. One goroutine
// reads; others may end what it waits for.
type blocking struct {
	stream xstream.Stream

	conn    atomic.Pointer[xstream.Conn]
	dials   int         // in a row that failed; the reading goroutine's own
	reading atomic.Bool // in a blocking read
	hasty   atomic.Bool // the read may be given up
	gaveUp  atomic.Bool // it was
	done    chan struct{}
}

func (b *blocking) connect(ctx context.Context) (*xstream.Conn, error) {
	if conn := b.conn.Load(); conn != nil {
		return conn, nil
	}
	b.dials++
	conn, err := dial(context.WithoutCancel(ctx), growing(firstDial, 2, blockTime, b.dials), b.stream)
	if err != nil {
		return nil, err
	}
	b.dials = 0
	b.conn.Store(conn)
	return conn, nil
}

// dial connects, and returns when the time is over, whatever the client does: it may wait for
// a node that is frozen, while it knows another one already.
func dial(ctx context.Context, timeout time.Duration, stream xstream.Stream) (*xstream.Conn, error) {
	type answer struct {
		conn *xstream.Conn
		err  error
	}
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answered := make(chan answer)
	go func() {
		// It has longer, because a client of a cluster looks for the new master when it can't
		// connect, but not when the context has ended.
		ctx, cancel := context.WithTimeout(ctx, timeout+blockTime)
		defer cancel()
		conn, err := xstream.Dial(ctx, stream)
		select {
		case answered <- answer{conn, err}:
		case <-wait.Done():
			if err == nil {
				conn.Close()
			}
		}
	}()
	select {
	case a := <-answered:
		return a.conn, a.err
	case <-wait.Done():
		return nil, wait.Err()
	}
}

func (b *blocking) disconnect() {
	if conn := b.conn.Swap(nil); conn != nil {
		conn.Close()
	}
}

// interrupt ends a read that is blocked now.
func (b *blocking) interrupt(ctx context.Context) {
	conn := b.conn.Load()
	if conn == nil || !b.reading.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = conn.Unblock(ctx) // it is tried again, and the read ends by itself
}

// giveUp ends a read whose server seems to be gone, instead of waiting for the end of its time.
// What the server may have assigned to us with it is found later.
func (b *blocking) giveUp() {
	if conn := b.conn.Load(); conn != nil && b.reading.Load() && b.hasty.Swap(false) {
		b.gaveUp.Store(true)
		conn.Close()
	}
}

// stop interrupts reads until the reading goroutine is done, or ctx has ended.
func (b *blocking) stop(ctx context.Context) {
	ticker := time.NewTicker(interruptEvery)
	defer ticker.Stop()
	for {
		b.interrupt(ctx)
		select {
		case <-b.done:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

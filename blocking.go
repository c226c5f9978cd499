package redisstream

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// blocking is a connection of its own for blocking reads, which are never cancelled but
// ended by the server, so that what it has assigned to us arrives. One goroutine
// reads; others may end what it waits for.
type blocking struct {
	stream xstream.Stream

	conn    atomic.Pointer[xstream.Conn]
	reading atomic.Bool // in a blocking read
	done    chan struct{}
}

func (b *blocking) connect(ctx context.Context) (*xstream.Conn, error) {
	if conn := b.conn.Load(); conn != nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), blockTime)
	defer cancel()
	conn, err := xstream.Dial(ctx, b.stream)
	if err != nil {
		return nil, err
	}
	b.conn.Store(conn)
	return conn, nil
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

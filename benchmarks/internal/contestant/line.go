package contestant

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

var errCut = errors.New("the line is cut")

// line is all connections of a client, to be cut for good: what Redis sees of that is what it
// sees when the process dies.
type line struct {
	mu    sync.Mutex // protects the following fields
	cut   bool
	conns []net.Conn
}

// dial is the DialCtxFn of a rueidis client.
func (l *line) dial(ctx context.Context, addr string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errors.Join(errCut, conn.Close())
	}
	l.conns = append(l.conns, conn)
	return conn, nil
}

// end cuts the line.
func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for _, conn := range l.conns {
		_ = conn.Close() // the client may have closed it
	}
}

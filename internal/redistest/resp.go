package redistest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// closeTimeout bounds the wait for the server's side of a closing connection.
const closeTimeout = time.Second

// A ReplyError is an error that the server answered with, code included. Inside an array it is
// an element like any other.
type ReplyError string

// Error is the text of the server.
func (e ReplyError) Error() string { return string(e) }

// errProtocol reports bytes that are not RESP2.
var errProtocol = errors.New("no RESP2 reply")

// wire is one RESP2 connection. It knows no command, so that nothing of the client library
// under test has a part in what a test observes.
type wire struct {
	conn halfCloser
	in   *bufio.Reader
	free func() bool // stops the watch of the context
}

// halfCloser is a connection whose writing side closes on its own.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// dial opens a connection that ends with the context. Without a config it is a plain one.
func dial(ctx context.Context, addr string, config *tls.Config) (*wire, error) {
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp4", addr)
	if err != nil {
		return nil, err
	}
	conn := raw.(halfCloser) //nolint:forcetypeassert,errcheck // TCP has it
	if config != nil {
		conn = tls.Client(raw, config)
	}
	free := context.AfterFunc(ctx, func() { _ = raw.Close() })
	return &wire{conn: conn, in: bufio.NewReader(conn), free: free}, nil
}

// do sends one command and reads its reply.
func (w *wire) do(args []string) (any, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(w.conn, b.String()); err != nil {
		return nil, err
	}
	return w.read()
}

// finish closes the connection and waits until the server has forgotten it, so that it shows up
// in no later CLIENT LIST.
func (w *wire) finish() {
	if w.conn.CloseWrite() == nil && w.conn.SetReadDeadline(time.Now().Add(closeTimeout)) == nil {
		_, _ = io.Copy(io.Discard, w.in)
	}
	w.close()
}

func (w *wire) close() {
	w.free()
	_ = w.conn.Close()
}

func (w *wire) read() (any, error) {
	line, err := w.line()
	if err != nil {
		return nil, err
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return ReplyError(rest), nil
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", errProtocol, line)
	}
	switch {
	case kind == ':':
		return n, nil
	case kind == '$' && n >= 0:
		return w.bulk(n)
	case kind == '*' && n >= 0:
		return w.array(n)
	case (kind == '$' || kind == '*') && n == -1:
		return nil, nil //nolint:nilnil // null is a reply
	}
	return nil, fmt.Errorf("%w: %q", errProtocol, line)
}

func (w *wire) bulk(n int64) (any, error) {
	text := make([]byte, n+2)
	if _, err := io.ReadFull(w.in, text); err != nil {
		return nil, err
	}
	return string(text[:n]), nil
}

func (w *wire) array(n int64) (any, error) {
	list := make([]any, n)
	for i := range list {
		var err error
		if list[i], err = w.read(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// line is never empty.
func (w *wire) line() (string, error) {
	line, err := w.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", fmt.Errorf("%w: empty line", errProtocol)
	}
	return line, nil
}

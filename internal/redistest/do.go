package redistest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// doTimeout is how long a test waits for a reply.
const doTimeout = 10 * time.Second

// Ping asks the server whether it serves commands; one that still loads its data answers with a
// [ReplyError]. It uses a connection of its own and none of the client library.
func (s *Server) Ping(ctx context.Context) error {
	_, err := s.TryDo(ctx, "PING")
	return err
}

// Do sends one command over a connection of its own and returns the reply: a string, an int64,
// a []any or nil. An error of the server, or no reply within 10 s, ends the test.
func (s *Server) Do(tb testing.TB, args ...string) any {
	tb.Helper()
	ctx, cancel := background(doTimeout)
	defer cancel()
	reply, err := s.TryDo(ctx, args...)
	check(tb, err)
	return reply
}

// TryDo is Do for a server that may be away, and for commands that may fail: an error of the
// server is a [ReplyError]. The context ends the wait.
func (s *Server) TryDo(ctx context.Context, args ...string) (any, error) {
	reply, err := s.exchange(ctx, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(args, " "), errors.Join(err, ctx.Err()))
	}
	return reply, nil
}

// Connections counts the clients that the server sees, without the one that asks.
func (s *Server) Connections(tb testing.TB) int {
	tb.Helper()
	list, ok := s.Do(tb, "CLIENT", "LIST").(string)
	if !ok {
		tb.Fatal("CLIENT LIST: the reply is no string")
	}
	return strings.Count(list, "\n") - 1
}

func (s *Server) exchange(ctx context.Context, args []string) (any, error) {
	w, err := dial(ctx, s.Addr(), s.tlsConfig())
	if err != nil {
		return nil, err
	}
	reply, err := w.do(args)
	if err != nil {
		w.close()
		return nil, err
	}
	w.finish()
	if refused, ok := reply.(ReplyError); ok {
		return nil, refused
	}
	return reply, nil
}

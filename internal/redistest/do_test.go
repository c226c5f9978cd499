package redistest

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDoReturnsEachKindOfReply(t *testing.T) {
	t.Parallel()
	s := Start(t)
	require.Equal(t, "OK", s.Do(t, "SET", "k", "a\r\nb"))
	require.Equal(t, "a\r\nb", s.Do(t, "GET", "k"))
	require.Empty(t, s.Do(t, "ECHO", ""))
	require.Equal(t, int64(-1), s.Do(t, "TTL", "k"))
	require.Nil(t, s.Do(t, "GET", "none"))
	require.Nil(t, s.Do(t, "BLPOP", "none", "0.01"))
	require.Equal(t, []any{"a\r\nb", nil}, s.Do(t, "MGET", "k", "none"))
	require.Equal(t, []any{}, s.Do(t, "KEYS", "none"))
	require.Equal(t, []any{int64(1), []any{"x", ReplyError("ERR y")}},
		s.Do(t, "EVAL", "return {1, {'x', redis.error_reply('ERR y')}}", "0"))
}

func TestServerErrors(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Do(t, "SET", "k", "v")
	_, err := s.TryDo(t.Context(), "LPUSH", "k", "v")
	var refused ReplyError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, string(refused), "WRONGTYPE")
	require.Contains(t, fatalOf(t, func(tb testing.TB) {
		tb.Helper()
		s.Do(tb, "LPUSH", "k", "v")
	}), "WRONGTYPE")
}

func TestTryDoEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(50*time.Millisecond, cancel)
	t.Cleanup(func() { timer.Stop() })
	_, err := s.TryDo(ctx, "BLPOP", "none", "0")
	require.ErrorIs(t, err, context.Canceled)
}

func TestTryDoRefusesAnotherProtocol(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{"HTTP/1.1 400\r\n", "\r\n", ":x\r\n", "$-2\r\n", "%1\r\n"} {
		s := &Server{port: sayOnce(t, reply)}
		_, err := s.TryDo(t.Context(), "PING")
		require.ErrorIs(t, err, errProtocol, reply)
	}
}

func TestConnectionsCountsOthers(t *testing.T) {
	t.Parallel()
	s := Start(t, Config("io-threads", "4")) // then a newer connection may be served first
	for range 100 {                          // none of the package's own is ever left over
		require.Zero(t, s.Connections(t))
	}
	var dialer net.Dialer
	for n := 1; n <= 3; n++ {
		conn, err := dialer.DialContext(t.Context(), "tcp", s.Addr())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		eventually(t, "one more connection", func() bool { return s.Connections(t) == n })
	}
}

// sayOnce is a server with one thing to say.
func sayOnce(t *testing.T, text string) int {
	t.Helper()
	l, err := listen(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = conn.Write([]byte(text))
			_, _ = conn.Read(make([]byte, 100))
			_ = conn.Close()
		}
	}()
	return portOf(l)
}

func portNumber(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	return port
}

package redistest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const longEnough = 150 * time.Millisecond // to call a line silent

func TestProxyForwardsBothWays(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	conn := open(t, p)
	require.Equal(t, "+PONG\r\n", ask(t, conn))
	require.Equal(t, 1, s.Connections(t))
	big := strings.Repeat("x", 8<<20)
	through := &Server{port: p.port}
	require.Equal(t, big, through.Do(t, "ECHO", big))
}

func TestProxyEndsWhatEnds(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	conn := open(t, p)
	ask(t, conn)
	require.NoError(t, conn.Close())
	eventually(t, "the server sees the end", func() bool { return s.Connections(t) == 0 })
	conn = open(t, p)
	ask(t, conn)
	s.Kill(t)
	require.True(t, ended(conn))
	require.True(t, ended(open(t, p)), "a dead target")
}

func TestCutClosesWhatIsOpen(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	conn := open(t, p)
	ask(t, conn)
	p.Cut()
	require.True(t, ended(conn))
	eventually(t, "the server sees the end", func() bool { return s.Connections(t) == 0 })
	require.Equal(t, "+PONG\r\n", ask(t, open(t, p)))
}

func TestBlockedProxyIsABlackHole(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	old, gone := open(t, p), open(t, p)
	ask(t, old)
	ask(t, gone)
	p.Block()
	young := open(t, p)
	require.NoError(t, gone.Close())
	for _, conn := range []net.Conn{old, young} {
		sendPing(t, conn)
		require.True(t, silent(t, conn))
	}
	require.Equal(t, 2, s.Connections(t), "neither the new one nor the end has come through")
	p.Unblock()
	for _, conn := range []net.Conn{old, young} {
		require.Equal(t, "+PONG\r\n", receive(t, conn, 7))
	}
	eventually(t, "the end comes through", func() bool { return s.Connections(t) == 2 })
}

func TestBlockedProxyHoldsBackReplies(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	conn := open(t, p)
	_, err := conn.Write([]byte("BLPOP list 0\r\n"))
	require.NoError(t, err)
	eventually(t, "the server waits", func() bool {
		list, _ := s.Do(t, "CLIENT", "LIST").(string)
		return strings.Contains(list, "cmd=blpop")
	})
	p.Block()
	s.Do(t, "LPUSH", "list", "v")
	require.True(t, silent(t, conn))
	require.Equal(t, int64(0), s.Do(t, "LLEN", "list"), "the server believes that the client has it")
	p.Cut()
	require.True(t, ended(conn))
}

func TestRefusedUntilAllowed(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	conn, addr := open(t, p), p.Addr()
	ask(t, conn) // or it may not be accepted yet
	for range 3 {
		p.Refuse()
		p.Refuse()
		_, err := connect(t, p)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.Equal(t, "+PONG\r\n", ask(t, conn), "open connections stay")
		p.Allow()
		p.Allow()
		require.Equal(t, "+PONG\r\n", ask(t, open(t, p)))
	}
	require.Equal(t, addr, p.Addr())
}

// Between its fork and its exec a child has copies of all sockets.
func TestRefusedWhileProcessesStart(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	ctx, stop := context.WithCancel(t.Context())
	var starting sync.WaitGroup
	defer starting.Wait()
	defer stop()
	for range 4 {
		starting.Go(func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, "true").Run()
			}
		})
	}
	for range 200 {
		p.Refuse()
		_, err := connect(t, p)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		p.Allow()
	}
}

func TestDelayAddsLatencyAndKeepsThroughput(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	conn := open(t, p)
	ask(t, conn)
	p.Delay(100 * time.Millisecond)
	begin := time.Now()
	for range 20 { // all are under way at once
		sendPing(t, conn)
		wait(t, 5*time.Millisecond)
	}
	receive(t, conn, 20*7)
	took := time.Since(begin)
	require.GreaterOrEqual(t, took, 200*time.Millisecond)
	require.Less(t, took, 20*200*time.Millisecond)
	p.Delay(0)
	require.Equal(t, "+PONG\r\n", ask(t, conn))
}

func TestLimitMakesALineNarrow(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	p.Limit(1 << 20)
	through := &Server{port: p.port}
	s.Do(t, "SET", "big", strings.Repeat("x", 512<<10))
	start := time.Now()
	require.Len(t, through.Do(t, "GET", "big"), 512<<10)
	limited := time.Since(start)
	require.GreaterOrEqual(t, limited, 450*time.Millisecond)
	p.Limit(0)
	start = time.Now()
	require.Len(t, through.Do(t, "GET", "big"), 512<<10)
	require.Less(t, time.Since(start), limited)
}

func TestSilencedConnectionsAreBlackHoles(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr())
	old, other := open(t, p), open(t, p)
	ask(t, old)
	_, err := other.Write([]byte("ECHO x\r\n"))
	require.NoError(t, err)
	receive(t, other, 7)
	require.Equal(t, 1, p.Silence("PING"))
	sendPing(t, old)
	require.True(t, silent(t, old))
	require.Equal(t, "+PONG\r\n", ask(t, other))
	require.Equal(t, "+PONG\r\n", ask(t, open(t, p)))
}

func TestProxyClosesInEveryState(t *testing.T) {
	t.Parallel()
	s := Start(t)
	states := map[string]func(*Proxy){
		"open":    func(*Proxy) {},
		"blocked": (*Proxy).Block,
		"refused": (*Proxy).Refuse,
		"slow":    func(p *Proxy) { p.Delay(time.Hour) },
	}
	for name, state := range states {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conn net.Conn
			t.Run("life", func(t *testing.T) {
				p := NewProxy(t, s.Addr())
				var err error
				conn, err = connect(t, p)
				require.NoError(t, err)
				ask(t, conn)
				state(p)
				sendPing(t, conn)
			})
			require.True(t, ended(conn))
			require.NoError(t, conn.Close())
		})
	}
}

func connect(t *testing.T, p *Proxy) (net.Conn, error) {
	t.Helper()
	var dialer net.Dialer
	return dialer.DialContext(t.Context(), "tcp", p.Addr())
}

func open(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := connect(t, p)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask returns the answer to a PING.
func ask(t *testing.T, conn net.Conn) string {
	t.Helper()
	sendPing(t, conn)
	return receive(t, conn, len("+PONG\r\n"))
}

func sendPing(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := conn.Write([]byte("PING\r\n"))
	require.NoError(t, err)
}

func receive(t *testing.T, conn net.Conn, n int) string {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	data := make([]byte, n)
	_, err := io.ReadFull(conn, data)
	require.NoError(t, err)
	return string(data)
}

func silent(t *testing.T, conn net.Conn) bool {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(longEnough)))
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// ended reports whether the connection closes soon, whatever it says before.
func ended(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, conn)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

package xstream

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// connect connects until the end of the test.
func connect(tb testing.TB, s Stream) *Conn {
	tb.Helper()
	conn, err := Dial(tb.Context(), s)
	require.NoError(tb, err)
	tb.Cleanup(conn.Close)
	return conn
}

// connection is what the server says of a connection, or "".
func connection(tb testing.TB, id int64) string {
	tb.Helper()
	return strings.TrimSpace(as[string](tb, shared.Do(tb, "CLIENT", "LIST", "ID", strconv.FormatInt(id, 10))))
}

func TestReadGroupReadsWhatNobodyHas(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, protocol)
			add(t, g.Stream, 1, 5)
			conn := connect(t, g.Stream)
			for _, want := range [][]string{ids(1, 2), ids(3, 4), ids(5, 5)} {
				entries, err := conn.ReadGroup(t.Context(), g, GroupRead{Consumer: "me", Count: 2, Block: time.Second})
				require.NoError(t, err)
				require.Equal(t, want, idsOf(entries))
				for _, e := range entries {
					require.Equal(t, int64(1), e.Deliveries)
					require.Equal(t, 1, e.Len())
					require.Equal(t, []string{"n", strconv.FormatUint(e.ID.Ms, 10)}, fieldsOf(e))
				}
			}
			require.Len(t, pendingOf(t, g), 5)
		})
	}
}

func TestReadGroupWithoutAcksLeavesNothingPending(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	add(t, g.Stream, 1, 3)
	conn := connect(t, g.Stream)
	entries, err := conn.ReadGroup(t.Context(), g, GroupRead{Consumer: "me", Count: 2, Block: time.Second, NoAck: true})
	require.NoError(t, err)
	require.Equal(t, ids(1, 2), idsOf(entries))
	require.Empty(t, pendingOf(t, g))
	entries, err = conn.ReadGroup(t.Context(), g, GroupRead{Consumer: "me", Count: 2, Block: time.Second, NoAck: true})
	require.NoError(t, err)
	require.Equal(t, ids(3, 3), idsOf(entries))
}

func TestReadsAfterAnID(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, shared, protocol)
			add(t, s, 1, 5)
			conn := connect(t, s)
			entries, err := conn.Read(t.Context(), ID{2, 1}, 2, time.Second, 0)
			require.NoError(t, err)
			require.Equal(t, ids(3, 4), idsOf(entries))
			require.Equal(t, []string{"n", "3"}, fieldsOf(entries[0]))
			entries, err = conn.Read(t.Context(), ID{5, 1}, 2, time.Millisecond, 0)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

func TestFieldsOfAnEntry(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, shared, protocol)
			shared.Do(t, "XADD", s.Key, "1-1", "b", "12", "a", "", "b", "\r\n\x00\xff", "", "x")
			entries, err := connect(t, s).Read(t.Context(), ID{}, 1, time.Second, 0)
			require.NoError(t, err)
			require.Equal(t, 4, entries[0].Len())
			require.Equal(t, []string{"b", "12", "a", "", "b", "\r\n\x00\xff", "", "x"}, fieldsOf(entries[0]))
			require.Equal(t, 3+1+5+1, entries[0].Seal())
		})
	}
}

// To Redis, no count and a count of zero mean everything: a whole stream would
// become one consumer's.
func TestReadsOfNothingAreRefused(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	add(t, g.Stream, 1, 5)
	conn := connect(t, g.Stream)
	for _, count := range []int{0, -1} {
		entries, err := conn.ReadGroup(t.Context(), g, GroupRead{Consumer: "me", Count: count, Block: time.Millisecond})
		require.ErrorIs(t, err, ErrBadCount)
		require.Empty(t, entries)
		entries, err = conn.Read(t.Context(), ID{}, count, time.Millisecond, 0)
		require.ErrorIs(t, err, ErrBadCount)
		require.Empty(t, entries)
	}
	require.Empty(t, pendingOf(t, g))
}

func TestReadsOfNothingNewEndByThemselves(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, protocol)
			conn := connect(t, g.Stream)
			start := time.Now()
			entries, err := conn.ReadGroup(t.Context(), g, GroupRead{Consumer: "me", Count: 1, Block: 100 * time.Millisecond})
			require.NoError(t, err)
			require.Empty(t, entries)
			require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond)
			entries, err = conn.Read(t.Context(), ID{}, 1, 100*time.Millisecond, 0)
			require.NoError(t, err)
			require.Empty(t, entries)
			require.GreaterOrEqual(t, time.Since(start), 200*time.Millisecond)
		})
	}
}

func TestReadsWakeUpForNews(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	conn := connect(t, g.Stream)
	timer := time.AfterFunc(50*time.Millisecond, func() { shared.Do(t, "XADD", g.Key, "1-1", "n", "1") })
	t.Cleanup(func() { timer.Stop() })
	start := time.Now()
	entries, err := conn.ReadGroup(t.Context(), g, GroupRead{Consumer: "me", Count: 1, Block: 30 * time.Second})
	require.NoError(t, err)
	require.Equal(t, ids(1, 1), idsOf(entries))
	require.Less(t, time.Since(start), 10*time.Second)
}

func TestUnblockEndsARead(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	for name, read := range map[string]func(conn *Conn) ([]Entry, error){
		"ReadGroup": func(conn *Conn) ([]Entry, error) {
			return conn.ReadGroup(t.Context(), g, GroupRead{Consumer: "me", Count: 1, Block: 30 * time.Second})
		},
		"Read": func(conn *Conn) ([]Entry, error) { return conn.Read(t.Context(), MaxID, 1, 30*time.Second, 0) },
	} {
		conn := connect(t, g.Stream)
		require.True(t, conn.CanUnblock())
		require.NoError(t, conn.Unblock(t.Context()), "it does not block yet")
		ended := make(chan error, 1)
		start := time.Now()
		go func() {
			_, err := read(conn)
			ended <- err
		}()
		require.Eventually(t, func() bool { return strings.Contains(connection(t, conn.clientID), "flags=b") }, 10*time.Second, time.Millisecond, name)
		require.NoError(t, conn.Unblock(t.Context()))
		require.NoError(t, <-ended, name)
		require.Less(t, time.Since(start), 15*time.Second, name)
	}
	conn := connect(t, g.Stream)
	add(t, g.Stream, 1, 1)
	require.NoError(t, conn.Unblock(t.Context()))
	entries, err := conn.ReadGroup(t.Context(), g, GroupRead{Consumer: "me", Count: 1, Block: time.Second})
	require.NoError(t, err)
	require.Equal(t, ids(1, 1), idsOf(entries), "an interrupt that comes too early is forgotten")
}

// Writes are paused for a failover. Many servers crash when they are asked to
// unblock a read that such a pause holds back.
func TestUnblockLeavesAReadAloneThatAPauseHoldsBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := newStream(t, server)
	g := Group{Stream: s, Name: "g"}
	require.NoError(t, g.Create(t.Context(), "0"))
	conn := connect(t, s)
	server.Do(t, "CLIENT", "PAUSE", "1000", "WRITE")
	ended := make(chan error, 1)
	go func() {
		_, err := conn.ReadGroup(t.Context(), g, GroupRead{Consumer: "me", Count: 1, Block: 30 * time.Second})
		ended <- err
	}()
	require.Eventually(t, func() bool {
		list := as[string](t, server.Do(t, "CLIENT", "LIST", "ID", strconv.FormatInt(conn.clientID, 10)))
		return strings.Contains(list, "flags=b")
	}, 10*time.Second, time.Millisecond, "it is held back")
	require.NoError(t, conn.Unblock(t.Context()), "it waits for the end of the pause")
	require.NoError(t, <-ended, "and then ends the read")
	server.Do(t, "PING")
}

func TestDialWithoutTheRightToUnblock(t *testing.T) {
	t.Parallel()
	for _, denied := range []string{"-client", "-client|id", "-client|unblock"} {
		server := redistest.Start(t)
		server.Do(t, "ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", denied)
		s := newStream(t, server, func(o *rueidis.ClientOption) { o.Username, o.Password = "limited", "secret" })
		conn := connect(t, s)
		require.False(t, conn.CanUnblock(), denied)
		require.NoError(t, conn.Unblock(t.Context()))
		add(t, s, 1, 1)
		entries, err := conn.Read(t.Context(), ID{}, 1, time.Second, 0)
		require.NoError(t, err)
		require.Len(t, entries, 1)
	}
}

func TestDialWithoutAServer(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	s.Client.Close()
	_, err := Dial(t.Context(), s)
	require.ErrorIs(t, err, rueidis.ErrClosing)

	server := redistest.Start(t)
	s = newStream(t, server)
	server.Kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = Dial(ctx, s)
	require.Error(t, err)
	require.Equal(t, Transient, Classify(err))
}

func TestCloseEndsTheConnectionItself(t *testing.T) {
	t.Parallel()
	conn, err := Dial(t.Context(), newStream(t, shared))
	require.NoError(t, err)
	require.NotEmpty(t, connection(t, conn.clientID))
	conn.Close()
	require.Eventually(t, func() bool { return connection(t, conn.clientID) == "" }, 10*time.Second, time.Millisecond)
}

// A server that is frozen does not hold up a read for long, and one that is
// only quiet is not taken for frozen.
func TestReadsOfAFrozenServerEnd(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := newStream(t, server)
	conn := connect(t, s)
	server.Pause(t)
	start := time.Now()
	_, err := conn.Read(t.Context(), ID{}, 1, 100*time.Millisecond, 0)
	require.Error(t, err)
	require.Equal(t, Transient, Classify(err))
	require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond+readGrace)
	require.Less(t, time.Since(start), 100*time.Millisecond+readGrace+5*time.Second)
}

// Some servers answer in RESP3 with a list of pairs, others with a map; an entry
// that was deleted while it was pending has null for fields.
func TestParseStreams(t *testing.T) {
	t.Parallel()
	s := Stream{Client: mock(t, number(1), array(array(text("k"), array(array(text("1-1"), "*-1\r\n"), array(text("2-1"), bulks("a", "1")))))), Key: "k"}
	entries, err := connect(t, s).Read(t.Context(), ID{}, 2, time.Second, 0)
	require.NoError(t, err)
	require.Equal(t, ids(1, 2), idsOf(entries))
	require.Zero(t, entries[0].Len())
	require.Zero(t, entries[0].Seal())
	require.Equal(t, []string{"a", "1"}, fieldsOf(entries[1]))
}

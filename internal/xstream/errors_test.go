package xstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// refused is an error of the server with this text.
func refused(tb testing.TB, text string) error {
	tb.Helper()
	client := shared.Client(tb)
	err := client.Do(tb.Context(), client.B().Eval().Script("return redis.error_reply(ARGV[1])").Numkeys(0).Arg(text).Build()).Error()
	require.Error(tb, err)
	return err
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for class, texts := range map[Class][]string{
		NoGroup: {"NOGROUP No such key 'k' or consumer group 'g'", "ERR no such key"},
		Transient: {
			"LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read only replica.",
			"UNBLOCKED the stream key no longer exists", "MASTERDOWN Link with MASTER is down", "CLUSTERDOWN The cluster is down",
			"TRYAGAIN Multiple keys request during rehashing of slot", "NOREPLICAS Not enough good replicas to write.",
			"OOM command not allowed when used memory > 'maxmemory'.", "BUSY Redis is busy running a script.",
			"MISCONF Redis is configured to save RDB snapshots", "MOVED 3999 127.0.0.1:6381", "ASK 3999 127.0.0.1:6381",
			"NOSCRIPT No matching script.", "EXECABORT Transaction discarded because of previous errors.",
		},
		Refused: {
			"WRONGTYPE Operation against a key holding the wrong kind of value", "NOPERM this user has no permissions",
			"NOAUTH Authentication required.", "ERR unknown command 'XADD'", "ERR syntax error", "BUSYGROUP Consumer Group name already exists",
			"CROSSSLOT Keys in request don't hash to the same slot", "LOADINGS",
		},
	} {
		for _, text := range texts {
			err := refused(t, text)
			require.Equal(t, class, Classify(err), text)
			require.Equal(t, class, Classify(fmt.Errorf("read: %w", err)), text)
			require.True(t, IsReply(err), text)
			require.True(t, IsReply(fmt.Errorf("read: %w", err)), text)
			require.False(t, NotSent(err), text)
			require.False(t, IsClosed(err), text)
		}
	}
}

func TestClassifyWhatIsNoReply(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		io.EOF, context.DeadlineExceeded, context.Canceled, rueidis.ErrClosing, errShort, errors.New("NOGROUP"),
		&net.OpError{Op: "read", Err: io.EOF}, &net.OpError{Op: "dial", Err: io.EOF},
	} {
		require.Equal(t, Transient, Classify(err), err)
		require.False(t, IsReply(err), err)
	}
}

func TestNotSent(t *testing.T) {
	t.Parallel()
	for _, err := range []error{&net.OpError{Op: "dial", Err: io.EOF}} {
		require.True(t, NotSent(err), err)
		require.True(t, NotSent(fmt.Errorf("add: %w", err)), err)
	}
	for _, err := range []error{nil, io.EOF, rueidis.ErrClosing, context.DeadlineExceeded, &net.OpError{Op: "read", Err: io.EOF}, &net.OpError{Op: "write", Err: io.EOF}} {
		require.False(t, NotSent(err), err)
	}
	require.True(t, IsClosed(fmt.Errorf("add: %w", rueidis.ErrClosing)))
	require.False(t, IsClosed(io.EOF))
}

// calls are all of a group's calls that need the group.
var calls = map[string]func(ctx context.Context, g Group) error{
	"Touch": func(ctx context.Context, g Group) error {
		_, err := g.Touch(ctx, "me", each(Unchanged, id(1)))
		return err
	},
	"Take": func(ctx context.Context, g Group) error {
		_, err := g.Take(ctx, Claim{Consumer: "me", IDs: ids(1, 1)})
		return err
	},
	"Release": func(ctx context.Context, g Group) error {
		_, err := g.Release(ctx, Giver{Consumer: "me"}, each(Unchanged, id(1)))
		return err
	},
	"Leave": func(ctx context.Context, g Group) error {
		_, err := g.Leave(ctx, "me", Farewell{})
		return err
	},
	"Bury": func(ctx context.Context, g Group) error {
		_, err := g.Bury(ctx, Burial{Dead: g.Key + ":dead", Consumer: "me", ID: id(1), Fields: []string{"a", "1"}})
		return err
	},
	"Discard": func(ctx context.Context, g Group) error {
		_, err := g.Discard(ctx, "me")
		return err
	},
	"Pending": func(ctx context.Context, g Group) error {
		_, err := g.Pending(ctx, PendingQuery{Count: 1})
		return err
	},
	"Summary": func(ctx context.Context, g Group) error {
		_, err := g.Summary(ctx)
		return err
	},
	"Consumers": func(ctx context.Context, g Group) error {
		_, err := g.Consumers(ctx)
		return err
	},
	"Position": func(ctx context.Context, g Group) error {
		_, err := g.Position(ctx)
		return err
	},
	"ReadGroup": func(ctx context.Context, g Group) error {
		conn, err := Dial(ctx, g.Stream)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.ReadGroup(ctx, g, GroupRead{Consumer: "me", Count: 1, Block: time.Millisecond})
		return err
	},
}

// A group that is gone has to be told from an operator's mistake, whichever
// call notices it first.
func TestCallsTellThatTheGroupIsGone(t *testing.T) {
	t.Parallel()
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := Group{Stream: newStream(t, shared), Name: "g"}
			require.Equal(t, NoGroup, Classify(call(t.Context(), g)), "without the stream")
			add(t, g.Stream, 1, 1)
			require.Equal(t, NoGroup, Classify(call(t.Context(), g)), "without a group")
			require.NoError(t, Group{Stream: g.Stream, Name: "another"}.Create(t.Context(), "0"))
			require.Equal(t, NoGroup, Classify(call(t.Context(), g)), "with another group")
			require.NoError(t, g.Create(t.Context(), "0"))
			require.NoError(t, call(t.Context(), g))
		})
	}
}

func TestCallsRefuseWhatIsNoStream(t *testing.T) {
	t.Parallel()
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := Group{Stream: newStream(t, shared), Name: "g"}
			shared.Do(t, "SET", g.Key, "no stream")
			err := call(t.Context(), g)
			require.ErrorContains(t, err, "WRONGTYPE")
			require.Equal(t, Refused, Classify(err))
		})
	}
}

func TestCallsWithoutAServer(t *testing.T) {
	t.Parallel()
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := Group{Stream: newStream(t, shared), Name: "g"}
			g.Client.Close()
			err := call(t.Context(), g)
			require.ErrorIs(t, err, rueidis.ErrClosing)
			require.Equal(t, Transient, Classify(err))
		})
	}
}

// A reply in another form than the command promises is an error, and no panic
// and no empty answer.
func TestMalformedReplies(t *testing.T) {
	t.Parallel()
	entry := func(id, fields string) string { return array(array(text("k"), array(array(id, fields)))) }
	for name, replies := range map[string][]string{
		"Touch":   {text("x"), array(), array(number(1), number(1)), bulks("x")},
		"Release": {text("x"), array()},
		"Discard": {text("x"), array()},
		"Bury":    {text("x"), array()},
		"Leave":   {text("x"), array(), array(number(1)), bulks("x", "y")},
		"Take": {
			text("x"), array(), array(array()), array(array(), array()), array(text("x"), array(), number(1)), array(array(), text("x"), number(1)),
			array(array(), array(), text("x")), array(array(text("x")), array(), number(1)),
			array(array(array(number(1), number(1))), array(), number(1)), array(array(array(text("1-1"), text("x"), array())), array(), number(1)),
			array(array(array(text("x"), number(1), array())), array(), number(1)), array(array(array(number(1), number(1), array())), array(), number(1)),
			array(array(array(text("1-1"), number(1), text("x"))), array(), number(1)),
		},
		"Pending": {
			text("x"), array(text("x")), array(array()), array(array(text("x"), text("c"), number(1), number(1))),
			array(array(number(1), text("c"), number(1), number(1))), array(array(text("1-1"), text("c"), text("x"), number(1))),
			array(array(text("1-1"), text("c"), number(1), text("x"))),
		},
		"Summary": {
			text("x"), array(), array(text("x"), text("1-1"), text("1-1"), array()), array(number(1), text("1-1"), text("1-1"), text("x")),
			array(number(1), text("1-1"), text("1-1"), array(text("x"))), array(number(1), text("1-1"), text("1-1"), array(array(text("x")))),
			array(number(1), text("1-1"), text("1-1"), array(array(number(1), number(1)))),
			array(number(1), text("1-1"), text("1-1"), array(array(text("c"), text("x")))),
		},
		"Consumers": {text("x"), array(text("x")), array(array(text("name"), number(1)))},
		"Position":  {text("x"), array(text("x")), array(bulks("name", "g")), array(bulks("name", "g", "last-delivered-id", "x"))},
		"ReadGroup": {
			text("x"), array(text("x")), array(array(text("k"))), array(array(text("k"), text("x"))), array(array(text("k"), array(text("x")))),
			array(array(text("k"), array(array(text("1-1"))))), entry(text("x"), bulks("a", "1")), entry(number(1), bulks("a", "1")), entry(text("1-1"), text("x")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, reply := range replies {
				if name == "ReadGroup" { // it asks for its connection's ID first
					require.Error(t, calls[name](t.Context(), Group{Stream: Stream{Client: mock(t, number(1), reply), Key: "k"}, Name: "g"}), reply)
					continue
				}
				require.Error(t, calls[name](t.Context(), Group{Stream: Stream{Client: mock(t, reply), Key: "k"}, Name: "g"}), reply)
			}
		})
	}
}

func TestMalformedRepliesToRestore(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{
		text("x"), array(), array(text("m")), array(text("m"), array()),
		array(number(1), array(), array()), array(text("m"), text("x"), array()), array(text("m"), array(), text("x")),
	} {
		g := Group{Stream: Stream{Client: mock(t, reply), Key: "k"}, Name: "g"}
		_, err := g.Restore(t.Context(), Restoration{Consumer: "me", Start: "0-0", Mark: "m", Token: "t"})
		require.Error(t, err, reply)
	}
}

func TestMalformedRepliesToLastID(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{text("x"), array(), bulks("length", "1"), bulks("last-generated-id", "x")} {
		_, _, err := Stream{Client: mock(t, reply), Key: "k"}.LastID(t.Context())
		require.Error(t, err, reply)
	}
}

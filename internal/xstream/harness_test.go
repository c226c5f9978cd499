package xstream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

var keys atomic.Int64 // how many keys tests have asked for

// newStream is a stream key that no other test uses. There is nothing at it.
func newStream(tb testing.TB, server *redistest.Server, mutate ...func(*rueidis.ClientOption)) Stream {
	tb.Helper()
	return Stream{Client: server.Client(tb, mutate...), Key: fmt.Sprintf("%s:%d", tb.Name(), keys.Add(1))}
}

// newGroup is the group "g" of a stream of the test's own.
func newGroup(tb testing.TB, mutate ...func(*rueidis.ClientOption)) Group {
	tb.Helper()
	g := Group{Stream: newStream(tb, shared, mutate...), Name: "g"}
	require.NoError(tb, g.Create(tb.Context(), "0"))
	return g
}

func resp2(o *rueidis.ClientOption) { o.AlwaysRESP2 = true }
func resp3(*rueidis.ClientOption)   {}

var protocols = map[string]func(*rueidis.ClientOption){"RESP2": resp2, "RESP3": resp3}

// id is the ID of the nth entry that add adds, from 1.
func id(n int) string { return strconv.Itoa(n) + "-1" }

// ids are the IDs of the entries from first to last.
func ids(first, last int) []string {
	var out []string
	for n := first; n <= last; n++ {
		out = append(out, id(n))
	}
	return out
}

// add adds the entries from first to last, each with one field.
func add(tb testing.TB, s Stream, first, last int) {
	tb.Helper()
	var cmds rueidis.Commands
	for n := first; n <= last; n++ {
		cmds = append(cmds, s.Client.B().Xadd().Key(s.Key).Id(id(n)).FieldValue().FieldValue("n", strconv.Itoa(n)).Build())
	}
	for _, r := range s.Client.DoMulti(tb.Context(), cmds...) {
		require.NoError(tb, r.Error())
	}
}

// deliver adds the entries from first to last and has the consumer read them.
func deliver(tb testing.TB, g Group, consumer string, first, last int) {
	tb.Helper()
	add(tb, g.Stream, first, last)
	shared.Do(tb, "XREADGROUP", "GROUP", g.Name, consumer, "COUNT", strconv.Itoa(last-first+1), "STREAMS", g.Key, ">")
}

// set gives pending entries an idle time in milliseconds and a count.
func set(tb testing.TB, g Group, consumer string, idle, count int, ids ...string) {
	tb.Helper()
	for _, id := range ids {
		shared.Do(tb, "XCLAIM", g.Key, g.Name, consumer, "0", id, "IDLE", strconv.Itoa(idle), "RETRYCOUNT", strconv.Itoa(count), "JUSTID")
	}
}

// as is a reply of the type that the server promises.
func as[T any](tb testing.TB, reply any) T {
	tb.Helper()
	v, ok := reply.(T)
	require.True(tb, ok, "%v", reply)
	return v
}

// held is a pending entry as the server sees it.
type held struct {
	consumer string
	idle     time.Duration
	count    int64
}

// pendingOf asks the server, and not the code under test, what is pending.
func pendingOf(tb testing.TB, g Group) map[string]held {
	tb.Helper()
	out := map[string]held{}
	for _, item := range as[[]any](tb, shared.Do(tb, "XPENDING", g.Key, g.Name, "-", "+", "100000")) {
		p := as[[]any](tb, item)
		idle := time.Duration(as[int64](tb, p[2])) * time.Millisecond
		out[as[string](tb, p[0])] = held{as[string](tb, p[1]), idle, as[int64](tb, p[3])}
	}
	return out
}

// ownersOf is who has which entry, and its count.
func ownersOf(tb testing.TB, g Group) map[string]string {
	tb.Helper()
	out := map[string]string{}
	for id, p := range pendingOf(tb, g) {
		out[id] = fmt.Sprintf("%s %d", p.consumer, p.count)
	}
	return out
}

// consumersOf are the names of the group's consumers.
func consumersOf(tb testing.TB, g Group) []string {
	tb.Helper()
	names := []string{}
	for _, item := range as[[]any](tb, shared.Do(tb, "XINFO", "CONSUMERS", g.Key, g.Name)) {
		names = append(names, as[string](tb, as[[]any](tb, item)[1]))
	}
	return names
}

// fieldsOf are the names and values of an entry.
func fieldsOf(e Entry) []string {
	var out []string
	for i := range e.Len() {
		name, value := e.Field(i)
		out = append(out, name, value)
	}
	return out
}

// idsOf are the IDs of entries.
func idsOf(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.ID.String())
	}
	return out
}

// each gives entries the same count.
func each(deliveries int64, ids ...string) []Count {
	var out []Count
	for _, id := range ids {
		out = append(out, Count{id, deliveries})
	}
	return out
}

// hangUp, as a reply of a mock, closes the connection.
const hangUp = "hang up"

// mock is a client of a server that gives the replies in their raw form, one to
// each command but those that set up a connection, and the last one again and
// again. It says what no real server does.
func mock(tb testing.TB, replies ...string) rueidis.Client {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed with the test
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = l.Close() })
	var next atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, func() string { return replies[min(int(next.Add(1)), len(replies))-1] })
		}
	}()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{l.Addr().String()}, DisableCache: true, ForceSingleClient: true, AlwaysRESP2: true,
	})
	require.NoError(tb, err)
	tb.Cleanup(client.Close)
	return client
}

func serve(conn net.Conn, next func() string) {
	defer conn.Close() //nolint:errcheck // nothing to do about it
	r := bufio.NewReader(conn)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		var reply string
		switch name := strings.Join(args[:min(len(args), 2)], " "); name {
		case "HELLO 2":
			reply = array()
		case "CLIENT SETINFO", "PING":
			reply = text("OK")
		default:
			reply = next()
		}
		if reply == hangUp {
			return
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return
		}
	}
}

func readCommand(r *bufio.Reader) ([]string, error) {
	var n, size int
	if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		arg := make([]byte, size+2)
		if _, err := io.ReadFull(r, arg); err != nil {
			return nil, err
		}
		args[i] = string(arg[:size])
	}
	return args, nil
}

// bulks is an array of strings as a raw reply.
func bulks(parts ...string) string {
	raw := make([]string, len(parts))
	for i, p := range parts {
		raw[i] = "$" + strconv.Itoa(len(p)) + "\r\n" + p + "\r\n"
	}
	return array(raw...)
}

// array is an array of raw replies.
func array(parts ...string) string {
	return "*" + strconv.Itoa(len(parts)) + "\r\n" + strings.Join(parts, "")
}

// number is an integer as a raw reply.
func number(n int) string { return ":" + strconv.Itoa(n) + "\r\n" }

// text is a string as a raw reply.
func text(s string) string { return "+" + s + "\r\n" }

// The mock has to be a server that works, or tests with it show nothing.
func TestMock(t *testing.T) {
	t.Parallel()
	s := Stream{Client: mock(t, bulks("a", ""), number(7), array(text("x"), number(-1)), hangUp)}
	list, err := s.read(t.Context(), "A", "").AsStrSlice()
	require.NoError(t, err)
	require.Equal(t, []string{"a", ""}, list)
	n, err := s.read(t.Context(), "A", "").AsInt64()
	require.NoError(t, err)
	require.Equal(t, int64(7), n)
	mixed, err := s.read(t.Context(), "A", "").ToArray()
	require.NoError(t, err)
	require.Len(t, mixed, 2)
	require.Error(t, s.read(t.Context(), "A", "").Error())
}

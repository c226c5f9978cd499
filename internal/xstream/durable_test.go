package xstream

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

var (
	oneReplica = Durability{Replicas: 1, Timeout: time.Millisecond}
	inFile     = Durability{Local: true, Timeout: time.Millisecond}
)

// notDurable checks that an entry was added, and returns who has it.
func notDurable(tb testing.TB, a Added) *NotDurableError {
	tb.Helper()
	require.NotEmpty(tb, a.ID)
	var short *NotDurableError
	require.ErrorAs(tb, a.Err, &short)
	return short
}

func TestDurability(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want    Durability
		answer  string
		durable bool
		short   NotDurableError
		err     string
	}{
		"enough":                    {oneReplica, number(1), true, NotDurableError{}, ""},
		"more than enough":          {oneReplica, number(2), true, NotDurableError{}, ""},
		"none":                      {oneReplica, number(0), false, NotDurableError{}, ""},
		"not all":                   {Durability{Replicas: 2, Timeout: 1e6}, number(1), false, NotDurableError{Replicas: 1}, ""},
		"in the file":               {inFile, array(number(1), number(0)), true, NotDurableError{}, ""},
		"not in the file":           {inFile, array(number(0), number(3)), false, NotDurableError{Replicas: 3}, ""},
		"not in the replica's file": {Durability{Replicas: 1, Local: true, Timeout: 1e6}, array(number(1), number(0)), false, NotDurableError{Local: true}, ""},
		"half an answer":            {inFile, array(number(1)), false, NotDurableError{Replicas: -1}, errShort.Error()},
		"no number":                 {oneReplica, text("x"), false, NotDurableError{Replicas: -1}, "parsing"},
		"unblocked":                 {oneReplica, "-UNBLOCKED force unblock\r\n", false, NotDurableError{Replicas: -1}, "UNBLOCKED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			added := NewDurableAdder(mock(t, number(0), text("1-1"), c.answer), c.want).Add(t.Context(), "k", additions(1))
			require.Equal(t, "1-1", added[0].ID)
			if c.durable {
				require.NoError(t, added[0].Err)
				return
			}
			short := notDurable(t, added[0])
			if c.err != "" {
				require.ErrorContains(t, short.Err, c.err)
				short.Err = nil
			}
			require.Equal(t, c.short, *short)
		})
	}
}

// A node that refuses to wait is not sent anything until it doesn't.
func TestNodeThatCantWaitIsAskedFirst(t *testing.T) {
	t.Parallel()
	const no = "-NOPERM no\r\n"
	a := NewDurableAdder(mock(t, no, number(0), text("1-1"), no, no, number(0), text("2-1"), number(1), text("3-1"), number(1)), oneReplica)
	refused := func() {
		t.Helper()
		added := a.Add(t.Context(), "k", additions(1))[0]
		require.Empty(t, added.ID)
		require.True(t, IsReply(added.Err))
		require.ErrorContains(t, added.Err, "may not wait")
	}
	refused()
	require.ErrorContains(t, notDurable(t, a.Add(t.Context(), "k", additions(1))[0]).Err, "may not wait")
	refused()
	require.Equal(t, []Added{{ID: "2-1"}}, a.Add(t.Context(), "k", additions(1)))
	require.Equal(t, []Added{{ID: "3-1"}}, a.Add(t.Context(), "k", additions(1)), "it is not asked again")
}

// What the node says of itself, and not of waiting, is said better by what is added.
func TestNodeThatIsNoMasterSaysSoOfTheEntry(t *testing.T) {
	t.Parallel()
	const replica = "-ERR WAIT cannot be used with replica instances.\r\n"
	added := NewDurableAdder(mock(t, replica, "-READONLY no\r\n", replica), oneReplica).Add(t.Context(), "k", additions(1))
	require.ErrorContains(t, added[0].Err, "READONLY")
	require.True(t, IsReply(added[0].Err))
}

func TestNothingIsSentToANodeThatHangsUpWhenAsked(t *testing.T) {
	t.Parallel()
	added := NewDurableAdder(mock(t, hangUp), oneReplica).Add(t.Context(), "k", additions(2))
	require.Len(t, added, 2)
	for _, a := range added {
		require.True(t, NotSent(a.Err))
		require.False(t, IsReply(a.Err))
	}
}

// rueidis keeps the answers of a connection that ends where it reads in the background.
func TestConnectionThatEndsBeforeAllAnswersHaveCome(t *testing.T) {
	t.Parallel()
	inBackground := t.Context() // because it can be cancelled
	for name, c := range map[string]struct {
		ctx     context.Context
		answers []string
		ids     []string
	}{
		"after the first":                {context.WithoutCancel(inBackground), []string{text("1-1"), hangUp}, []string{""}},
		"before, in the background":      {inBackground, []string{hangUp}, []string{""}},
		"after the first, in background": {inBackground, []string{text("1-1"), hangUp}, []string{"1-1"}},
		"in a transaction":               {inBackground, []string{text("OK"), text("QUEUED"), text("QUEUED"), hangUp}, []string{"", ""}},
		"after a transaction":            {inBackground, []string{text("OK"), text("QUEUED"), text("QUEUED"), bulks("1-1", "1-2"), hangUp}, []string{"1-1", "1-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := NewDurableAdder(mock(t, append([]string{number(0)}, c.answers...)...), oneReplica)
			for i, added := range a.Add(c.ctx, "k", additions(len(c.ids))) {
				require.Equal(t, c.ids[i], added.ID)
				require.False(t, IsReply(added.Err) || NotSent(added.Err))
				if added.ID != "" {
					require.Equal(t, -1, notDurable(t, added).Replicas)
				}
			}
		})
	}
}

func TestDurableWithoutTheRightToTransactions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do(t, "ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-multi")
	s := newStream(t, server, func(o *rueidis.ClientOption) { o.Username, o.Password = "limited", "secret" })
	a := NewDurableAdder(s.Client, oneReplica)
	var want []string
	for range 3 {
		for i, added := range a.Add(t.Context(), s.Key, additions(3)) {
			require.Zero(t, notDurable(t, added).Replicas)
			want = append(want, fmt.Sprintf("[%s [n value %d]]", added.ID, i))
		}
		require.True(t, a.plain.Load(), "the next one does not try")
	}
	require.Equal(t, want, stored(t, server, s), "each once")
}

func TestOrdersGoTogetherInPortions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		entries, size int
		batches       []int
	}{
		"by number": {entries: 1000, size: 1, batches: []int{4, 4, 2}},
		"by bytes":  {entries: 1, size: maxBatchBytes / 3, batches: []int{3, 3, 3, 1}},
		"large":     {entries: maxBatch + 1, size: 1, batches: []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &lane{}
			var orders []*order
			for range 10 {
				orders = append(orders, &order{entries: c.entries, size: c.size, woken: make(chan struct{}, 1)})
			}
			l.waiting = slices.Clone(orders)
			for _, n := range c.batches {
				l.leave()
				require.Equal(t, orders[:n], orders[0].batch)
				require.Len(t, orders[0].woken, 1)
				orders = orders[n:]
			}
			require.Empty(t, l.waiting)
			require.Equal(t, len(c.batches), l.underWay)
		})
	}
}

// fickle is a client whose connections panic for certain entries, as a hook of the user's may.
type fickle struct {
	rueidis.Client

	calls  chan int // commands that go together
	gate   chan struct{}
	closed atomic.Int64 // connections
}

func (f *fickle) Dedicate() (rueidis.DedicatedClient, func()) {
	conn, giveBack := f.Client.Dedicate()
	return &fickleConn{conn, f}, giveBack
}

type fickleConn struct {
	rueidis.DedicatedClient

	client *fickle
}

func (c *fickleConn) Close() {
	c.client.closed.Add(1)
	c.DedicatedClient.Close()
}

func (c *fickleConn) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	c.client.calls <- len(cmds)
	<-c.client.gate
	if slices.ContainsFunc(cmds, func(cmd rueidis.Completed) bool { return slices.Contains(cmd.Commands(), "bad") }) {
		panic("no") //nolint:forbidigo // it stands for code that is not ours
	}
	return c.DedicatedClient.DoMulti(ctx, cmds...)
}

func TestThoseWhoWaitTogetherAreNotStuckWhenTheirSenderPanics(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	client := &fickle{Client: s.Client, calls: make(chan int, 10), gate: make(chan struct{})}
	a := NewDurableAdder(client, oneReplica)
	var work sync.WaitGroup
	var mu sync.Mutex
	var added []Added
	panics := 0
	add := func(value string) {
		work.Go(func() {
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				if recover() != nil {
					panics++
				}
			}()
			out := a.Add(t.Context(), s.Key, []Addition{{Fields: []string{"f", value}}})
			mu.Lock()
			defer mu.Unlock()
			added = append(added, out...)
		})
	}
	waiting := func() int {
		a.durable.mu.Lock()
		defer a.durable.mu.Unlock()
		return len(a.durable.lanes[0].waiting)
	}
	for i := range maxUnderWay {
		add(strconv.Itoa(i))
		require.Equal(t, 2, <-client.calls, "nobody waits")
	}
	for i, value := range []string{"a", "bad", "b"} {
		add(value)
		require.Eventually(t, func() bool { return waiting() == i+1 }, 10*time.Second, time.Millisecond)
	}
	close(client.gate)
	require.Equal(t, 4, <-client.calls, "those who wait go together")
	work.Wait()
	require.Equal(t, 1, panics)
	require.Equal(t, int64(1), client.closed.Load(), "nobody knows what is on its way there")
	abandoned := 0
	for _, one := range added {
		if one.ID == "" {
			require.ErrorIs(t, one.Err, errAbandoned)
			abandoned++
		}
	}
	require.Equal(t, 2, abandoned)
	require.Len(t, added, maxUnderWay+2)
	require.Zero(t, a.durable.lanes[0].underWay)
	require.NotEmpty(t, a.Add(t.Context(), s.Key, additions(1))[0].ID, "it goes on")
}

// forgetful is a client that does not know its nodes at first.
type forgetful struct {
	rueidis.Client

	asked chan struct{}
}

func (f *forgetful) Nodes() map[string]rueidis.Client {
	select {
	case f.asked <- struct{}{}:
		return nil
	default:
		return f.Client.Nodes()
	}
}

func TestSlotThatGoesToANodeThatIsNotKnownYet(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2)
	client := &forgetful{Client: cluster.Client(t), asked: make(chan struct{}, 2)}
	a := NewDurableAdder(client, Durability{Replicas: 1, Timeout: 30 * time.Second})
	require.NoError(t, a.Add(t.Context(), "k", additions(1))[0].Err)
	to := cluster.Masters(t)[0]
	if cluster.NodeOf(t, "k") == to {
		to = cluster.Masters(t)[1]
	}
	cluster.MoveSlot(t, "k", to)
	for _, added := range a.Add(t.Context(), "k", additions(3)) {
		require.NoError(t, added.Err)
	}
	require.NotEmpty(t, client.asked)
	require.Equal(t, int64(4), to.Do(t, "XLEN", "k"))
}

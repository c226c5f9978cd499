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

// shortly is a read that does not block for long.
var shortly = GroupRead{Consumer: "nobody", Count: 2, Block: 10 * time.Millisecond, NoAck: true}

func TestReadPartitionReadsInOrder(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t, protocol)
			add(t, p.Stream, 1, 5)
			conn := connect(t, p.Stream)
			cursor := ID{}
			for _, want := range [][]string{ids(1, 2), ids(3, 4), ids(5, 5), nil} {
				entries, straggler, err := conn.ReadPartition(t.Context(), p, shortly, cursor)
				require.NoError(t, err)
				require.Nil(t, straggler, "what was read before is up to the cursor")
				require.Equal(t, want, idsOf(entries))
				for _, e := range entries {
					require.Equal(t, 1, e.Len())
					cursor = e.ID
				}
			}
			owners := ownersOf(t, p.Group)
			require.Len(t, owners, 5)
			require.Equal(t, "p0 1", owners[id(1)])
		})
	}
}

// An earlier owner's read was executed late: it has taken away what comes first.
func TestReadPartitionFindsWhatWasTakenAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ last, want int }{"below the batch": {last: 9, want: 2}, "with nothing else new": {last: 4, want: 0}} {
		for _, consumer := range []string{"p0", "other"} {
			t.Run(name+", "+consumer, func(t *testing.T) {
				t.Parallel()
				p := newPartition(t)
				conn := connect(t, p.Stream)
				deliver(t, p.Group, "p0", 1, 2)
				deliver(t, p.Group, consumer, 3, 4)
				add(t, p.Stream, 5, c.last)
				entries, straggler, err := conn.ReadPartition(t.Context(), p, shortly, ID{2, 1})
				require.NoError(t, err)
				require.Len(t, entries, c.want)
				require.NotNil(t, straggler)
				require.Equal(t, ID{3, 1}, straggler.ID)
				require.Equal(t, consumer, straggler.Consumer)
				require.Equal(t, int64(1), straggler.Deliveries)

				entries, straggler, err = conn.ReadPartition(t.Context(), p, shortly, ID{4, 1})
				require.NoError(t, err)
				require.LessOrEqual(t, len(entries), 2)
				require.True(t, straggler == nil || straggler.ID == ID{5, 1}, "the cursor itself is none")
			})
		}
	}
}

// The check comes after the read: it finds what was taken away while the read blocked.
func TestReadPartitionLooksAfterItsRead(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	conn := connect(t, p.Stream)
	type result struct {
		straggler *Pending
		err       error
	}
	ended := make(chan result, 1)
	go func() {
		_, straggler, err := conn.ReadPartition(context.Background(), p, GroupRead{Count: 1, Block: time.Second}, ID{})
		ended <- result{straggler, err}
	}()
	require.Eventually(t, func() bool { return strings.Contains(connection(t, conn.clientID), "flags=b") }, 10*time.Second, time.Millisecond)
	shared.Do(t, "XGROUP", "CREATECONSUMER", p.Key, p.Name, "p0")
	// In one step, so that the blocked read does not get it.
	shared.Do(t, "EVAL", `redis.call('XADD', KEYS[1], '1-1', 'n', '1')
		return redis.call('XREADGROUP', 'GROUP', 'g', 'p0', 'STREAMS', KEYS[1], '>')`, "1", p.Key)
	r := <-ended
	require.NoError(t, r.err)
	require.NotNil(t, r.straggler)
	require.Equal(t, ID{1, 1}, r.straggler.ID)
}

func TestReadPartitionIsUnblocked(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	conn := connect(t, p.Stream)
	ended := make(chan error, 1)
	start := time.Now()
	go func() {
		_, _, err := conn.ReadPartition(context.Background(), p, GroupRead{Count: 1, Block: 30 * time.Second}, ID{})
		ended <- err
	}()
	require.Eventually(t, func() bool { return strings.Contains(connection(t, conn.clientID), "flags=b") }, 10*time.Second, time.Millisecond)
	require.NoError(t, conn.Unblock(t.Context()))
	require.NoError(t, <-ended)
	require.Less(t, time.Since(start), 15*time.Second)
}

// See TestUnblockLeavesAReadAloneThatAPauseHoldsBack.
func TestReadPartitionThatAPauseHoldsBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	g := Group{Stream: newStream(t, server), Name: "g"}
	require.NoError(t, g.Create(t.Context(), "0"))
	conn := connect(t, g.Stream)
	server.Do(t, "CLIENT", "PAUSE", "1000", "WRITE")
	ended := make(chan error, 1)
	go func() {
		_, _, err := conn.ReadPartition(context.Background(), Partition{Group: g, Consumer: "p0"}, GroupRead{Count: 1, Block: 30 * time.Second}, ID{})
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

// A read may block for longer than rueidis otherwise waits for a reply, on a
// connection that was made in either of its ways.
func TestReadPartitionBlocksForLong(t *testing.T) {
	t.Parallel()
	for name, dial := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, minute)
		},
		"cancel": context.WithCancel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t, func(o *rueidis.ClientOption) { o.ConnWriteTimeout = 500 * time.Millisecond })
			ctx, cancel := dial(t.Context())
			defer cancel()
			conn, err := Dial(ctx, p.Stream)
			require.NoError(t, err)
			t.Cleanup(conn.Close)
			for range 2 {
				start := time.Now()
				entries, straggler, err := conn.ReadPartition(ctx, p, GroupRead{Count: 1, Block: 1500 * time.Millisecond}, ID{})
				require.NoError(t, err)
				require.Empty(t, entries)
				require.Nil(t, straggler)
				require.GreaterOrEqual(t, time.Since(start), 1500*time.Millisecond)
			}
			add(t, p.Stream, 1, 1)
			entries, _, err := conn.ReadPartition(ctx, p, shortly, ID{})
			require.NoError(t, err)
			require.Equal(t, ids(1, 1), idsOf(entries))
		})
	}
}

func TestReadPartitionOfAFrozenServerEnds(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	g := Group{Stream: newStream(t, server), Name: "g"}
	require.NoError(t, g.Create(t.Context(), "0"))
	add(t, g.Stream, 1, 1)
	conn := connect(t, g.Stream)
	server.Pause(t)
	start := time.Now()
	entries, straggler, err := conn.ReadPartition(t.Context(), Partition{Group: g, Consumer: "p0"},
		GroupRead{Count: 1, Block: 100 * time.Millisecond, Slack: 500 * time.Millisecond}, ID{})
	require.Error(t, err)
	require.Equal(t, Transient, Classify(err))
	require.Empty(t, entries)
	require.Nil(t, straggler)
	const least = 600*time.Millisecond + readGrace
	require.GreaterOrEqual(t, time.Since(start), least)
	require.Less(t, time.Since(start), least+5*time.Second)
}

func TestReadPartitionOfNothingIsRefused(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	add(t, p.Stream, 1, 2)
	_, _, err := connect(t, p.Stream).ReadPartition(t.Context(), p, GroupRead{Block: time.Millisecond}, ID{})
	require.ErrorIs(t, err, ErrBadCount)
	require.Empty(t, pendingOf(t, p.Group))
}

func TestReadPartitionOfALostGroup(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	conn := connect(t, p.Stream)
	shared.Do(t, "XGROUP", "DESTROY", p.Key, p.Name)
	_, _, err := conn.ReadPartition(t.Context(), p, shortly, ID{})
	require.Equal(t, NoGroup, Classify(err))
}

// Without either of its replies, a read says nothing; and nothing is sent again, as that
// would assign more entries.
func TestReadPartitionNeedsBothReplies(t *testing.T) {
	t.Parallel()
	batch := array(array(text("k"), array(array(text("1-1"), bulks("a", "1")))))
	row := array(array(text("1-1"), text("p0"), number(0), number(1)))
	const no = "-NOPERM no\r\n"
	for name, replies := range map[string][]string{
		"no reply":                      {hangUp, batch, row},
		"no reply to the check":         {batch, hangUp, batch, row},
		"the check is refused":          {batch, no, batch, row},
		"the read is refused":           {no, row, batch, row},
		"half a row":                    {batch, array(array(text("1-1")))},
		"a row that is none":            {batch, array(number(1))},
		"entries that are none":         {array(number(1)), row},
		"the server is loading":         {"-LOADING x\r\n", "-LOADING x\r\n", batch, row},
		"the connection's end, at once": {hangUp},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Stream{Client: mock(t, append([]string{number(1), number(0)}, replies...)...), Key: "k"}
			entries, straggler, err := connect(t, s).ReadPartition(t.Context(), Partition{Group: Group{Stream: s, Name: "g"}, Consumer: "p0"}, shortly, ID{})
			require.Error(t, err)
			require.Empty(t, entries)
			require.Nil(t, straggler)
		})
	}
	s := Stream{Client: mock(t, number(1), number(0), batch, row), Key: "k"}
	entries, straggler, err := connect(t, s).ReadPartition(t.Context(), Partition{Group: Group{Stream: s, Name: "g"}, Consumer: "p0"}, shortly, ID{})
	require.NoError(t, err, "with both it does")
	require.Equal(t, ids(1, 1), idsOf(entries))
	require.Nil(t, straggler)
}

package xstream

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// heldUp is a client that tells how many commands go together, and holds them up.
type heldUp struct {
	rueidis.Client

	calls chan int
	gate  chan struct{}
}

func holdUp(client rueidis.Client) *heldUp {
	return &heldUp{Client: client, calls: make(chan int, 1000), gate: make(chan struct{})}
}

func (h *heldUp) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	h.calls <- 1
	<-h.gate
	return h.Client.Do(ctx, cmd)
}

func (h *heldUp) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	h.calls <- len(cmds)
	<-h.gate
	return h.Client.DoMulti(ctx, cmds...)
}

// crowd adds entries to a stream, each in a goroutine of its own.
type crowd struct {
	tb      testing.TB
	adder   *Adder
	stream  string
	entered int

	mu    sync.Mutex
	added map[string]Added // by the value of the entry
	group sync.WaitGroup
}

func newCrowd(tb testing.TB, client rueidis.Client, stream string) *crowd {
	tb.Helper()
	return &crowd{tb: tb, adder: NewAdder(client), stream: stream, added: map[string]Added{}}
}

// add returns when the entry is on its way or waits.
func (c *crowd) add(value string, id ...string) {
	c.tb.Helper()
	e := Addition{Fields: []string{"f", value}, ID: strings.Join(id, "")}
	c.group.Go(func() {
		defer func() { _ = recover() }()
		out := c.adder.Add(context.WithoutCancel(c.tb.Context()), c.stream, []Addition{e})
		c.mu.Lock()
		defer c.mu.Unlock()
		c.added[value] = out[0]
	})
	c.entered++
	require.Eventually(c.tb, func() bool { return c.inside() == c.entered }, 10*time.Second, time.Millisecond)
}

// inside is how many are on their way or wait.
func (c *crowd) inside() int {
	s := &c.adder.singles
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[c.stream]
	if q == nil {
		return 0
	}
	return q.sent + q.waiting
}

func (c *crowd) addMany(n int) {
	c.tb.Helper()
	for i := range n {
		c.add(strconv.Itoa(i))
	}
}

// sent are the sizes of the groups that were sent until now, in any order.
func (h *heldUp) sent() []int {
	var sizes []int
	for len(h.calls) > 0 {
		sizes = append(sizes, <-h.calls)
	}
	return sizes
}

func TestSingleEntriesGoTogether(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	h := holdUp(s.Client)
	c := newCrowd(t, h, s.Key)
	c.addMany(12) // the last one waits: it is less than a third of what is on the way
	require.Eventually(t, func() bool { return len(h.calls) == 7 }, 10*time.Second, time.Millisecond)
	require.ElementsMatch(t, []int{1, 1, 1, 1, 2, 2, 3}, h.sent())
	close(h.gate)
	c.group.Wait()

	require.Equal(t, []int{1}, h.sent(), "who waits goes when others have arrived")
	require.Len(t, c.added, 12)
	for value, a := range c.added {
		require.NoError(t, a.Err)
		entries, err := s.Client.Do(t.Context(), s.Client.B().Xrange().Key(s.Key).Start(a.ID).End(a.ID).Build()).AsXRangeSlices()
		require.NoError(t, err)
		require.Equal(t, value, entries[0].FieldValues[0].Value, "each is told its own ID")
	}
	require.Empty(t, c.adder.singles.queues, "nothing is kept of a stream")
}

func TestSingleEntryThatIsRefusedFailsAlone(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	add(t, s, 5, 5)
	h := holdUp(s.Client)
	c := newCrowd(t, h, s.Key)
	c.addMany(4)
	c.add("small", id(4))
	c.add("good")
	close(h.gate)
	c.group.Wait()
	require.Contains(t, h.sent(), 2)
	require.ErrorContains(t, c.added["small"].Err, "equal or smaller")
	require.Empty(t, c.added["small"].ID)
	require.NoError(t, c.added["good"].Err)
}

func TestSingleEntriesAreTakenInPortions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size, waiting int
		groups        []int
	}{
		"by number": {size: 1, waiting: 300, groups: []int{maxGroup, maxGroup, 300 - 2*maxGroup}},
		"by bytes":  {size: maxShared - 1, waiting: 33, groups: []int{16, 16, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var q queue
			waiting := make([]*passenger, c.waiting)
			for i := range waiting {
				waiting[i] = &passenger{size: c.size, woken: make(chan struct{}, 1)}
				q.push(waiting[i])
			}
			for _, want := range c.groups {
				q.leave()
				leader := waiting[want-1] // who has come last need not be woken
				require.Same(t, waiting[0], leader.first)
				require.Equal(t, want, leader.n)
				require.Len(t, leader.woken, 1)
				waiting = waiting[want:]
			}
			require.Zero(t, q.waiting)
			require.Nil(t, q.first)
			require.Equal(t, c.waiting, q.sent)
		})
	}
}

func TestLargeEntriesGoAlone(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	h := holdUp(s.Client)
	c := newCrowd(t, h, s.Key)
	c.addMany(5)
	large := strings.Repeat("x", maxShared)
	done := make(chan []Added, 1)
	go func() {
		done <- c.adder.Add(context.WithoutCancel(t.Context()), s.Key, []Addition{{Fields: []string{"f", large}}})
	}()
	for range 5 {
		<-h.calls // four and the large one: the fifth small one waits
	}
	require.Equal(t, 5, c.inside())
	close(h.gate)
	require.NoError(t, (<-done)[0].Err)
	c.group.Wait()
}

func TestSingleEntriesOfOneStreamDoNotWaitForAnother(t *testing.T) {
	t.Parallel()
	s, other := newStream(t, shared), newStream(t, shared)
	h := holdUp(s.Client)
	c := newCrowd(t, h, s.Key)
	c.addMany(9)
	n := len(h.calls)
	done := make(chan []Added, 1)
	go func() {
		done <- c.adder.Add(context.WithoutCancel(t.Context()), other.Key, []Addition{{Fields: []string{"f", "v"}}})
	}()
	require.Eventually(t, func() bool { return len(h.calls) > n }, 10*time.Second, time.Millisecond)
	close(h.gate)
	require.NoError(t, (<-done)[0].Err)
	c.group.Wait()
}

// panicking is a client whose groups panic, as a hook of the user's may.
type panicking struct{ *heldUp }

func (p panicking) DoMulti(context.Context, ...rueidis.Completed) []rueidis.RedisResult {
	<-p.gate
	panic("no") //nolint:forbidigo // it stands for code that is not ours
}

func TestSingleEntriesAreNotStuckWhenTheirSenderPanics(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	h := panicking{holdUp(s.Client)}
	c := newCrowd(t, h, s.Key)
	c.addMany(6) // four, and two together
	close(h.gate)
	c.group.Wait()
	abandoned := 0
	for _, a := range c.added {
		if a.Err != nil {
			require.ErrorIs(t, a.Err, errAbandoned)
			require.False(t, IsReply(a.Err), "nobody knows whether it was added")
			abandoned++
		}
	}
	require.Equal(t, 1, abandoned, "the other one of the two has panicked")
	require.Empty(t, c.adder.singles.queues)
}

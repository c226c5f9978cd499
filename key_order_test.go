package redisstream

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

func (o *keyOrder) count() int {
	if o == nil {
		return 0
	}
	return o.blocked
}

// keyOf is the key of an entry in these tests: one of three, or none.
func keyOf(e *entry) string { return []string{"", "a", "b", "c"}[e.ID.Ms%4] }

// requireOrdered checks what holds of keys at any time.
func requireOrdered(l *ledger, live map[*entry]bool) error {
	if l.order == nil {
		return nil
	}
	blocked, bytes := 0, 0
	for key, queue := range l.order.queues {
		if len(queue) == 0 || l.order.holders[key] == nil {
			return fmt.Errorf("key %q: %d wait for nobody", key, len(queue))
		}
		for i, e := range queue {
			switch {
			case e.state != buffered || l.held.get(e.ID) != e || e.keyed.key != key:
				return fmt.Errorf("%v waits for its key in state %d", e.ID, e.state)
			case i > 0 && !queue[i-1].ID.Less(e.ID):
				return fmt.Errorf("%v waits for its key behind %v", e.ID, queue[i-1].ID)
			}
			bytes += e.size
		}
		blocked += len(queue)
	}
	if blocked != l.order.blocked || bytes != l.order.bytes {
		return fmt.Errorf("%d entries of %d bytes wait for their keys, counted %d of %d", blocked, bytes, l.order.blocked, l.order.bytes)
	}
	for key, e := range l.order.holders {
		if live != nil && !live[e] && !slices.Contains(l.buffer, e) {
			return fmt.Errorf("%v has the key %q in state %d", e.ID, key, e.state)
		}
	}
	for e := range live {
		if e.state == inFlight && e.keyed != nil && e.keyed.key != "" && l.order.holders[e.keyed.key] != e {
			return fmt.Errorf("%v is in flight without its key %q", e.ID, e.keyed.key)
		}
	}
	return nil
}

// orderedLedger holds entries with the times 1 to n, of so many bytes.
func orderedLedger(maxInFlight, n, size int) *ledger {
	l := filledLedger(maxInFlight, n)
	l.order = newKeyOrder()
	for _, e := range l.buffer {
		e.size = size
	}
	return l
}

// takeKeyed takes the next entry that may be handed out, if each that is new has the key.
func takeKeyed(l *ledger, key string) *entry {
	for e := l.take(); e != nil; e = l.take() {
		if e.keyed != nil || l.assign(e, key, message.NewMessage("", nil)) {
			return e
		}
	}
	return nil
}

func TestLedgerHandsOutOneOfAKeyAtATime(t *testing.T) {
	t.Parallel()
	l := orderedLedger(9, 4, 0)
	for ms := uint64(1); ms <= 4; ms++ {
		e := takeKeyed(l, "a")
		require.Equal(t, ms, e.ID.Ms)
		require.Nil(t, takeKeyed(l, "a"))
		require.Equal(t, 1, l.inFlight, "what waits has no slot")
		require.NoError(t, requireSound(l, map[*entry]bool{e: true}))
		l.settle(e, acked)
		require.Nil(t, e.keyed)
	}
	require.Empty(t, l.order.holders)
	require.Empty(t, l.order.queues)
}

// However an entry leaves, the next one with its key goes on.
func TestLedgerFreesAKey(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(l *ledger, e *entry){
		"acked":     func(l *ledger, e *entry) { l.settle(e, acked) },
		"given up":  func(l *ledger, e *entry) { l.settle(e, condemned) },
		"back":      func(l *ledger, e *entry) { l.settle(e, returning) },
		"forgotten": func(l *ledger, e *entry) { l.settle(e, forgotten) },
		"lost":      func(l *ledger, e *entry) { l.lose(e); l.settle(e, acked) },
		"lost in the buffer": func(l *ledger, e *entry) {
			l.settle(e, acked)
			l.lose(l.buffer[0])
			l.admit(batch(2), read())
			l.lose(l.buffer[0]) // it has no key
		},
		"lost in the queue": func(l *ledger, e *entry) {
			l.lose(l.order.queues["a"][0])
			l.settle(e, acked)
		},
		"released": func(l *ledger, e *entry) {
			l.settle(e, acked)
			out, full := l.unhoard(time.Now().Add(time.Hour))
			if len(out) == 3 && full && l.order.blocked == 0 { // what is behind it goes along
				l.rebuffer(out)
			}
		},
		"released for good": func(l *ledger, e *entry) {
			l.settle(e, acked)
			l.forget(l.unbuffer())
			l.admit(batch(2, 3), read())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := orderedLedger(9, 4, 7)
			e := takeKeyed(l, "a")
			require.Nil(t, takeKeyed(l, "a"))
			leave(l, e)
			next := takeKeyed(l, "a")
			require.NotNil(t, next)
			require.Nil(t, takeKeyed(l, "a"))
			require.NoError(t, requireSound(l, map[*entry]bool{next: true}))
		})
	}
}

// Its handler may still work when another consumer has the message, or when it came back.
func TestLedgerKeepsTheKeyOfWhatIsLostUntilItsHandlerIsDone(t *testing.T) {
	t.Parallel()
	l := orderedLedger(9, 2, 0)
	e := takeKeyed(l, "a")
	require.True(t, l.offer(e, &delivery{msg: message.NewMessage("", nil)}))
	require.NotNil(t, l.expire(e))
	l.admit(batch(1), read())
	require.Nil(t, takeKeyed(l, "a"))
	require.Equal(t, []uint64{1, 2}, times(l.order.queues["a"]))
	l.settle(e, acked)
	again := takeKeyed(l, "a")
	require.Equal(t, e.ID, again.ID)
	require.NotSame(t, e, again)
	require.Nil(t, takeKeyed(l, "a"))
}

// What is lost before its key is known must not take the key from who has it.
func TestLedgerGivesNoKeyToWhatIsLost(t *testing.T) {
	t.Parallel()
	l := orderedLedger(9, 3, 0)
	e, gone := takeKeyed(l, "a"), l.take()
	l.lose(gone)
	require.True(t, l.assign(gone, "a", nil), "the dispatcher finds out")
	require.Same(t, e, l.order.holders["a"])
	l.settle(gone, returning)
	require.Same(t, e, l.order.holders["a"])
	require.Nil(t, takeKeyed(l, "a"))
}

func TestLedgerKeepsOneCopyOfWhatWaitsForItsKey(t *testing.T) {
	t.Parallel()
	for size, lent := range []bool{false, true} { // as they have no fields, where there should be some
		l := orderedLedger(9, 4, size)
		takeKeyed(l, "a")
		require.Nil(t, takeKeyed(l, "a"))
		lost, given := l.order.queues["a"][0], l.order.queues["a"][1]
		require.Equal(t, lent, lost.isAhead(), "only a message with the memory of its fields can't be made again")
		l.lose(lost)
		require.Nil(t, lost.keyed, "the message may be large")
		out := l.unbuffer()
		l.lose(out[1])
		require.Nil(t, out[1].keyed)
		l.forget(out)
		require.Nil(t, given.keyed)
	}
}

func TestLedgerReadsNoMoreWhenTooMuchWaitsForItsKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ n, size int }{
		"entries": {maxBlocked, 0},
		"bytes":   {8, maxBlockedBytes / 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := orderedLedger(3, c.n, c.size)
			e := takeKeyed(l, "a")
			require.Nil(t, takeKeyed(l, "a"))
			require.Positive(t, l.free(), "one less than the bound waits")
			l.admit(batch(1e6), read())
			l.buffer[0].size = c.size
			require.Nil(t, takeKeyed(l, "a"))
			require.Zero(t, l.free())
			l.offerRoom()
			require.Empty(t, l.drained)
			l.settle(e, acked)
			require.NotNil(t, takeKeyed(l, "a"))
			require.Nil(t, takeKeyed(l, "a"))
			require.NotEmpty(t, l.drained, "the reader wakes up")
			require.Positive(t, l.free())
		})
	}
}

// What waits for a message that is in hand here would overtake it elsewhere. What waits for
// one that is elsewhere already need not stay.
func TestLedgerKeepsWhatWaitsForAKeyThatIsOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := orderedLedger(9, 3, 0)
		e := takeKeyed(l, "a")
		require.True(t, l.offer(e, &delivery{msg: message.NewMessage("", nil)}))
		require.Nil(t, takeKeyed(l, "a"))
		time.Sleep(time.Minute)
		l.admit(batch(9), read())
		now := time.Now()
		require.Empty(t, l.waiting(now))
		require.Empty(t, l.blocked(now.Add(-time.Minute)), "it may be there in a moment")
		out, full := l.unhoard(now)
		require.Empty(t, out)
		require.False(t, full)
		require.ElementsMatch(t, []uint64{2, 3}, times(l.blocked(now)))
		require.ElementsMatch(t, []uint64{2, 3}, times(l.keep(l.blocked(now))))
		require.Empty(t, l.blocked(now), "they are kept")
		l.ready(l.all())

		later := now.Add(time.Minute)
		require.Equal(t, []uint64{9}, times(l.waiting(later)), "it waits for a slot alone")
		l.lose(e)
		require.Empty(t, l.waiting(now.Add(-time.Minute)), "it may be there in a moment")
		require.ElementsMatch(t, []uint64{2, 3}, times(l.waiting(now)))
		out, full = l.unhoard(now)
		require.ElementsMatch(t, []uint64{2, 3}, times(out))
		require.False(t, full, "the others go on")
		require.False(t, l.stuck)
		require.Equal(t, []uint64{9}, times(l.buffer))
		l.rebuffer(out)
		require.NoError(t, requireSound(l, map[*entry]bool{e: true}))
		require.Nil(t, takeKeyed(l, "a"))
	})
}

// Its turn has just come.
func TestLedgerDoesNotReleaseWhatHasItsKeySinceNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := orderedLedger(9, 3, 0)
		e := takeKeyed(l, "a")
		require.Nil(t, takeKeyed(l, "a"))
		time.Sleep(time.Minute)
		l.settle(e, acked)
		require.Empty(t, l.waiting(time.Now()))
		time.Sleep(time.Minute)
		require.ElementsMatch(t, []uint64{2, 3}, times(l.waiting(time.Now())))
	})
}

// The one before may be settled while the key of this one is being asked for.
func TestLedgerKeepsTheOrderWhileAKeyIsLearned(t *testing.T) {
	t.Parallel()
	l := orderedLedger(9, 2, 0)
	e := takeKeyed(l, "a")
	require.Nil(t, takeKeyed(l, "a"))
	l.admit(batch(3), read())
	third := l.take()
	l.settle(e, acked)
	require.False(t, l.assign(third, "a", nil))
	require.Equal(t, uint64(2), takeKeyed(l, "a").ID.Ms)
}

// What comes late, as by a claim, comes first if it can.
func TestLedgerPutsWhatComesLateInOrder(t *testing.T) {
	t.Parallel()
	l := orderedLedger(9, 0, 0)
	l.admit(batch(5, 7, 9), read())
	e := takeKeyed(l, "a")
	require.Nil(t, takeKeyed(l, "a"))
	l.admit(batch(6), read())
	require.Nil(t, takeKeyed(l, "a"))
	l.settle(e, acked)
	l.admit(batch(3), read())
	for _, ms := range []uint64{3, 6, 7, 9} {
		e = takeKeyed(l, "a")
		require.Equal(t, ms, e.ID.Ms)
		require.Nil(t, takeKeyed(l, "a"))
		l.settle(e, acked)
	}
}

func TestAcksOfAKeyStayInOrder(t *testing.T) {
	t.Parallel()
	l := newLedger(8, newPace(maxPrefetch))
	l.order = newKeyOrder()
	d := &dispatcher{ledger: l, acker: newAcker(l, nil, logger{})}
	l.admit(batch(1, 2), admission{counted: true})
	first := l.take()
	require.True(t, l.assign(first, "a", nil))
	second := l.take()
	require.False(t, l.assign(second, "a", nil), "it waits")

	d.acker.mu.Lock() // the first one's ack is settled, and not yet in the queue
	var settled sync.WaitGroup
	settled.Go(func() { d.done(first) })
	for !l.isSettled(first) {
		runtime.Gosched()
	}
	require.Same(t, second, l.take(), "it has the key")
	require.False(t, d.settling.TryLock(), "its ack can't come to the queue before")
	d.acker.mu.Unlock()
	settled.Wait()
	d.done(second)
	require.Equal(t, []string{first.IDText(), second.IDText()}, d.acker.unconfirmed())
}

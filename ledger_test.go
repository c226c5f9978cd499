package redisstream

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// batch are entries with these times for IDs, each read once.
func batch(ms ...uint64) []xstream.Entry {
	out := make([]xstream.Entry, len(ms))
	for i, m := range ms {
		out[i] = xstream.Entry{ID: xstream.ID{Ms: m, Seq: 1}, Deliveries: 1}
	}
	return out
}

// read is how a read of now brings entries.
func read() admission { return admission{sent: time.Now(), counted: true} }

// times are the times in the IDs of entries.
func times(entries []*entry) []uint64 {
	out := []uint64{}
	for _, e := range entries {
		out = append(out, e.ID.Ms)
	}
	return out
}

// filledLedger holds the entries with the times 1 to n.
func filledLedger(maxInFlight, n int) *ledger {
	l := newLedger(maxInFlight, newPace(maxPrefetch))
	for ms := range n {
		l.admit(batch(uint64(ms+1)), read())
	}
	return l
}

// requireSound checks what holds at any time. live are the entries that were
// handed out and not settled.
func requireSound(l *ledger, live map[*entry]bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	unconfirmed, doomed, waiting, flying := 0, 0, 0, 0
	for e := range l.held.all() {
		switch {
		case l.held.get(e.ID) != e || !e.listed:
			return fmt.Errorf("%v is held as another entry", e.ID)
		case e.state == lost || e.state == forgotten:
			return fmt.Errorf("%v is held in state %d", e.ID, e.state)
		}
		switch e.state {
		case acked:
			unconfirmed++
		case condemned:
			doomed++
		case buffered:
			waiting++
		case inFlight:
			flying++
		default:
		}
	}
	for i, e := range l.buffer {
		switch {
		case e.state != buffered || l.held.get(e.ID) != e || !e.listed:
			return fmt.Errorf("%v waits in state %d", e.ID, e.state)
		case i > 0 && !l.buffer[i-1].ID.Less(e.ID):
			return fmt.Errorf("%v waits behind %v", e.ID, l.buffer[i-1].ID)
		}
	}
	for e := range live {
		if e.state == lost {
			flying++ // it keeps its slot
		}
	}
	switch {
	case unconfirmed != l.unconfirmed:
		return fmt.Errorf("%d unconfirmed, counted %d", unconfirmed, l.unconfirmed)
	case doomed != l.doomed:
		return fmt.Errorf("%d doomed, counted %d", doomed, l.doomed)
	case waiting != len(l.buffer)+l.order.count():
		return fmt.Errorf("%d wait, %d in the buffer", waiting, len(l.buffer))
	case l.inFlight < 0 || l.inFlight > l.maxInFlight:
		return fmt.Errorf("%d in flight", l.inFlight)
	case live != nil && flying != l.inFlight:
		return fmt.Errorf("%d in flight, counted %d", flying, l.inFlight)
	}
	return requireOrdered(l, live)
}

func TestLedgerAdmitsAnIDOnce(t *testing.T) {
	t.Parallel()
	l := newLedger(1, newPace(maxPrefetch))
	first := time.Now()
	l.admit(batch(1, 2, 2), admission{sent: first, counted: true})
	again := batch(1, 2, 3)
	again[0].Deliveries = 9
	l.admit(again, admission{sent: first.Add(time.Second)})
	require.Equal(t, []uint64{1, 2, 3}, times(l.buffer))
	require.Equal(t, 3, l.size())
	require.Equal(t, int64(9), l.handOuts(l.buffer[0]), "a claim says how often it was handed out")
	l.admit(batch(1), read())
	require.Equal(t, int64(9), l.handOuts(l.buffer[0]), "a read does not")
	l.admit(again[:1], admission{sent: first.Add(time.Second)})
	require.Equal(t, instantOf(first.Add(time.Second)), l.buffer[0].confirmed, "it was ours when it came again")

	for range 3 { // neither what is in flight nor what is acked comes again
		e := l.take()
		l.admit(batch(1, 2, 3), read())
		require.True(t, l.settle(e, acked))
		l.admit(batch(1, 2, 3), read())
	}
	require.Empty(t, l.buffer)
	acked := l.all()
	require.Equal(t, []uint64{1, 2, 3}, times(acked))
	l.forget(acked)
	l.admit(batch(2), read())
	require.Equal(t, []uint64{2}, times(l.buffer), "the server has it for us again")
	require.NoError(t, requireSound(l, map[*entry]bool{}))
}

func TestLedgerHandsOutInTheOrderOfTheStream(t *testing.T) {
	t.Parallel()
	l := newLedger(100, newPace(maxPrefetch))
	l.admit(batch(5, 7, 9), read())
	l.admit(batch(8, 1), read())
	l.admit(nil, read())
	require.Equal(t, xstream.ID{Ms: 9, Seq: 1}, l.last)
	var got []uint64
	for range 5 {
		got = append(got, l.take().ID.Ms)
	}
	require.Equal(t, []uint64{1, 5, 7, 8, 9}, got)
	require.Nil(t, l.take())
}

func TestLedgerHandsOutNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	l := filledLedger(2, 3)
	a, b := l.take(), l.take()
	require.Nil(t, l.take())
	l.settle(a, acked)
	require.NotNil(t, l.take())
	require.Nil(t, l.take())
	require.NoError(t, requireSound(l, nil))
	require.True(t, l.settle(b, forgotten))
	require.False(t, l.holds(b.ID))
	require.True(t, l.holds(a.ID))
}

func TestLedgerKeepsWhatTheServerHasNotConfirmed(t *testing.T) {
	t.Parallel()
	for s, want := range map[state][2]int{acked: {1, 0}, condemned: {0, 1}, returning: {}} {
		l := filledLedger(1, 1)
		e := l.take()
		require.True(t, l.settle(e, s))
		require.Equal(t, 0, l.inFlight)
		require.Equal(t, want, [2]int{l.unconfirmed, l.doomed})
		require.Equal(t, 1, l.size())
		l.forget([]*entry{e})
		l.forget([]*entry{e}) // an entry is not counted twice
		require.Zero(t, l.unconfirmed+l.doomed)
		require.Zero(t, l.size())
	}
}

func TestLedgerLosesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	l := filledLedger(2, 4)
	flying, ackedOne := l.take(), l.take()
	d := &delivery{}
	require.True(t, l.offer(flying, d))
	l.settle(ackedOne, acked)
	requireLost(t, l, ackedOne, false, "its ack may have come first: only the answer to that counts")
	require.True(t, l.holds(ackedOne.ID))

	given, lostNow := l.lose(flying)
	require.True(t, lostNow)
	require.Same(t, d, given, "its context has to end")
	requireLost(t, l, flying, false)
	require.True(t, l.isLost(flying))
	require.False(t, l.holds(flying.ID))
	require.Equal(t, 1, l.inFlight, "its handler still works")
	require.False(t, l.offer(flying, d))
	l.admit(batch(1), read()) // it comes back
	again := l.buffer[0]
	require.False(t, l.settle(flying, acked), "the late ack is not ours to send")
	require.Equal(t, 0, l.inFlight)
	require.Equal(t, 1, l.unconfirmed)
	l.forget([]*entry{flying})
	requireLost(t, l, flying, false)
	require.True(t, l.holds(again.ID), "it is another one")

	requireLost(t, l, again, true)
	require.Equal(t, []uint64{3, 4}, times(l.buffer), "it is not handed out")
	require.False(t, l.isLost(ackedOne))
	require.NoError(t, requireSound(l, map[*entry]bool{}))

	e := l.take()
	l.settle(e, condemned)
	l.lose(e)
	l.forget([]*entry{e})
	require.Equal(t, 1, l.unconfirmed)
	require.NoError(t, requireSound(l, map[*entry]bool{}))
}

// requireLost loses an entry that the caller does not have.
func requireLost(t *testing.T, l *ledger, e *entry, want bool, why ...any) {
	t.Helper()
	d, lostNow := l.lose(e)
	require.Nil(t, d, why...)
	require.Equal(t, want, lostNow, why...)
}

// What is on its way back to the group may be handed to us again before we know
// that it has gone.
func TestLedgerAdmitsAgainWhatIsOnItsWayBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(l *ledger, gone []*entry){
		"it has gone": func(l *ledger, gone []*entry) { l.forget(gone) },
		"no answer":   func(l *ledger, gone []*entry) { l.rebuffer(gone) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := filledLedger(1, 1)
			gone := l.unbuffer()
			back := batch(1)
			back[0].Deliveries = 7
			l.admit(back, admission{sent: time.Now()})
			end(l, gone)
			require.Equal(t, []uint64{1}, times(l.buffer))
			require.Equal(t, int64(7), l.handOuts(l.buffer[0]))
			require.True(t, l.holds(gone[0].ID))
			require.NoError(t, requireSound(l, map[*entry]bool{}))
		})
	}
}

// A release without an answer may have been executed, and the entry come back
// with the count that it was given.
func TestLedgerBelievesTheLastCountOfWhatWaits(t *testing.T) {
	t.Parallel()
	l := filledLedger(1, 1)
	l.rebuffer(l.unbuffer())
	back := batch(1)
	back[0].Deliveries = 0
	sent := time.Now()
	l.admit(back, admission{sent: sent})
	e := l.take()
	require.Equal(t, int64(0), l.handOuts(e))
	require.Equal(t, xstream.Count{ID: e.IDText(), Deliveries: 1}, l.nextCount(e))
	require.GreaterOrEqual(t, e.confirmed, instantOf(sent))
}

// While the count of an entry is being changed it is not handed out, or the
// change could undo that of its hand-out.
func TestLedgerHandsOutNothingWhoseCountChanges(t *testing.T) {
	t.Parallel()
	l := filledLedger(1, 2)
	head := l.take()
	counted := l.keep(l.waiting(time.Now().Add(time.Hour)))
	require.Equal(t, []uint64{2}, times(counted))
	require.Equal(t, []xstream.Count{{ID: counted[0].IDText(), Deliveries: 0}}, l.handedOut(counted))
	l.settle(head, acked)
	require.Nil(t, l.take())
	require.NotEmpty(t, l.filled)
	<-l.filled
	l.ready(counted)
	require.NotEmpty(t, l.filled, "who waits for it has to wake up")
	require.Same(t, counted[0], l.take())
	require.True(t, l.due(counted[0], math.MaxInt64), "its hand-out is to be counted")
	require.Equal(t, int64(1), l.nextCount(counted[0]).Deliveries)
}

// A caller that left its buffer waiting until it was released gets nothing more
// before it asks.
func TestLedgerReadsNothingForACallerThatIsStuck(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(l *ledger, flying *entry){
		"it takes another one": func(l *ledger, _ *entry) { l.take() },
		"it settles one":       func(l *ledger, e *entry) { l.settle(e, acked) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := filledLedger(3, 3)
			flying := l.take()
			l.forget(l.unbuffer())
			require.Zero(t, l.free())
			l.offerRoom()
			require.Empty(t, l.drained)
			ask(l, flying)
			require.NotEmpty(t, l.drained, "the reader wakes up")
			require.Positive(t, l.free())
		})
	}
}

// A caller gets as much as it takes, however much it might.
func TestLedgerFillsSlotsAsTheyAreUsed(t *testing.T) {
	t.Parallel()
	l := newLedger(1000, newPace(maxPrefetch))
	require.Equal(t, 1, l.free(), "the first entry may be a huge one")
	reads, ms := 0, uint64(1)
	for ; l.inFlight < 1000; reads++ {
		for range l.free() {
			l.admit(batch(ms), read())
			ms++
		}
		for e := l.take(); e != nil; e = l.take() {
			require.Equal(t, inFlight, e.state)
		}
	}
	require.Less(t, reads, 20)
}

func TestLedgerTakesBackWhatCouldNotBeReleased(t *testing.T) {
	t.Parallel()
	l := filledLedger(1, 4)
	l.pace.want = 8
	flying := l.take()
	waiting := l.unbuffer()
	require.Equal(t, []uint64{2, 3, 4}, times(waiting))
	require.Empty(t, l.buffer)
	require.Equal(t, 1, l.pace.want, "it starts over")
	require.Equal(t, 4, l.size(), "until the server has confirmed the release")
	l.admit(batch(5), read())
	l.lose(waiting[1])
	l.rebuffer(waiting)
	require.Equal(t, []uint64{2, 4, 5}, times(l.buffer))
	require.True(t, l.due(waiting[0], 100*365*24*time.Hour), "nobody knows whether it is still ours")
	require.True(t, l.settle(flying, acked))
	require.Same(t, waiting[0], l.take())
	require.NoError(t, requireSound(l, map[*entry]bool{waiting[0]: true}))
}

func TestLedgerCountsHandOuts(t *testing.T) {
	t.Parallel()
	l := newLedger(2, newPace(maxPrefetch))
	sent := time.Now()
	read, claimed := batch(1), batch(2)
	claimed[0].Deliveries = 3
	l.admit(read, admission{sent: sent, counted: true})
	l.admit(claimed, admission{sent: sent})
	a, b := l.take(), l.take()
	require.Equal(t, int64(0), l.handOuts(a), "the server has counted one to come")
	require.Equal(t, int64(3), l.handOuts(b))
	require.Equal(t, xstream.Count{ID: "1-1", Deliveries: 1}, l.nextCount(a))
	require.Equal(t, xstream.Count{ID: "2-1", Deliveries: 4}, l.nextCount(b))
	require.Equal(t, []xstream.Count{{ID: "1-1", Deliveries: 0}, {ID: "2-1", Deliveries: 3}}, l.handedOut([]*entry{a, b}))
	require.Equal(t, []xstream.Count{{ID: "1-1", Deliveries: 1}, {ID: "2-1", Deliveries: 3}}, l.counts([]*entry{a, b}))
	require.False(t, l.due(a, time.Hour))
	require.True(t, l.due(a, 0), "its confirmation is old")
	require.True(t, l.due(b, time.Hour), "its count has to be raised")

	l.confirm(b, sent.Add(time.Second))
	l.verified(b, 4)
	require.False(t, l.due(b, 0))
	require.Equal(t, int64(3), l.handOuts(b))
	require.Equal(t, int64(4), l.nextCount(b).Deliveries, "to ask again counts nothing")
	d := &delivery{}
	require.True(t, l.offer(b, d))
	require.Equal(t, int64(4), d.ctx.origin.deliveries)
	require.Equal(t, int64(5), l.nextCount(b).Deliveries, "the next one is not counted")
	require.Equal(t, []*delivery{d}, l.deliveriesInFlight())
	require.Equal(t, 1, l.neverHandedOut())
	l.withdraw(b)
	require.Equal(t, int64(4), l.nextCount(b).Deliveries)
	require.Empty(t, l.deliveriesInFlight())
	require.Equal(t, 2, l.neverHandedOut())

	require.True(t, l.offer(b, d))
	l.again(b)
	require.Equal(t, int64(5), l.handOuts(b))
	l.confirm(b, sent.Add(time.Hour))
	require.Equal(t, instantOf(sent.Add(time.Hour)), b.confirmed)
}

func TestLedgerListsWhatHasToBeRenewed(t *testing.T) {
	t.Parallel()
	l := filledLedger(4, 6)
	e := []*entry{l.take(), l.take(), l.take(), l.take()}
	l.settle(e[1], acked)
	l.settle(e[2], condemned)
	l.settle(e[3], returning)
	soon, before := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	require.ElementsMatch(t, []uint64{1, 2, 3}, times(l.toRenew(soon)))
	require.Empty(t, l.toRenew(before))
	require.Equal(t, []uint64{1, 3, 4, 5, 6}, times(l.unsettled()))

	require.Empty(t, l.waiting(before))
	waiting := l.waiting(soon)
	require.Equal(t, []uint64{5, 6}, times(waiting))
	l.buffer[0].counted = false
	require.Equal(t, []uint64{6}, times(l.keep(waiting)))
	require.ElementsMatch(t, []uint64{1, 2, 3, 5, 6}, times(l.toRenew(soon)))
	l.unbuffer()
	require.Empty(t, l.waiting(soon))
}

// An outage must not make more duplicates than the bound, so nothing is handed
// out above it, and the loss or the confirmation of one goes on.
func TestLedgerPausesWhileTooMuchIsUnconfirmed(t *testing.T) {
	t.Parallel()
	forget := func(l *ledger, e *entry) { l.forget([]*entry{e}) }
	for name, goOn := range map[string]func(l *ledger, e *entry){
		"acked":     forget,
		"condemned": forget,
		"lost":      func(l *ledger, e *entry) { l.lose(e) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, most := condemned, maxDoomed
			if name == "acked" {
				s, most = acked, maxUnconfirmed
			}
			synctest.Test(t, func(t *testing.T) {
				l := filledLedger(3, most+1)
				var e *entry
				for range most {
					e = l.take()
					require.NotNil(t, e)
					l.settle(e, s)
				}
				require.Nil(t, l.take())
				require.Zero(t, l.free(), "nothing more is read")
				var got *entry
				go func() { got = l.next(t.Context(), func() {}) }()
				synctest.Wait()
				require.Nil(t, got)
				goOn(l, e)
				synctest.Wait()
				require.NotNil(t, got, "the dispatcher has to wake up")
			})
		})
	}
}

func TestLedgerNextWakesUp(t *testing.T) {
	t.Parallel()
	for name, wakeUp := range map[string]func(l *ledger, flying *entry, cancel func()){
		"admit":    func(l *ledger, _ *entry, _ func()) { l.admit(batch(9), read()) },
		"rebuffer": func(l *ledger, _ *entry, _ func()) { l.rebuffer(l.unbuffer()) },
		"settle":   func(l *ledger, e *entry, _ func()) { l.settle(e, acked) },
		"end":      func(_ *ledger, _ *entry, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				l := filledLedger(2, 1)
				flying := l.take()
				switch name {
				case "settle":
					l.maxInFlight = 1
					l.admit(batch(2), read())
				case "rebuffer":
					l.admit(batch(2), read())
					e := l.unbuffer()
					wakeUp = func(l *ledger, _ *entry, _ func()) { l.rebuffer(e) }
				}
				var got *entry
				ended := false
				go func() { got, ended = l.next(ctx, func() {}), true }()
				synctest.Wait()
				require.False(t, ended)
				wakeUp(l, flying, cancel)
				synctest.Wait()
				require.True(t, ended)
				require.Equal(t, name != "end", got != nil)
			})
		})
	}
}

func TestLedgerRoomWakesUp(t *testing.T) {
	t.Parallel()
	for name, wakeUp := range map[string]func(l *ledger, flying *entry){
		"settle":   func(l *ledger, e *entry) { l.take(); l.settle(e, acked) },
		"unbuffer": func(l *ledger, _ *entry) { l.unbuffer(); l.take() },
		"lose":     func(l *ledger, _ *entry) { l.lose(l.buffer[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := filledLedger(2, 2)
				flying := l.take()
				room := 0
				go func() { room = l.room(t.Context()) }()
				synctest.Wait()
				require.Zero(t, room)
				wakeUp(l, flying)
				synctest.Wait()
				require.Positive(t, room)
				require.LessOrEqual(t, room, 2)
			})
		})
	}
}

func TestLedgerRoomEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Zero(t, filledLedger(1, 1).room(ctx))
	})
}

// A dispatcher that finds the buffer empty asks for more than before.
func TestLedgerAsksForMoreWhenTheCallerWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(1, newPace(4))
		require.Equal(t, 1, l.room(t.Context()))
		for ms := range uint64(20) {
			l.admit(batch(ms+1), read())
			e := l.take()
			l.settle(e, acked)
			l.forget([]*entry{e})
			require.Nil(t, l.take())
		}
		require.Equal(t, 4, l.room(t.Context()))
		for range 2 {
			l.admit(batch(uint64(rand.IntN(1e6)+100)), read())
		}
		require.Equal(t, 2, l.room(t.Context()), "a read tops up half of the buffer")
		l.admit(batch(50), read())
		require.Zero(t, l.free(), "and not each single entry")
	})
}

// world is what the goroutines of the model share: what they know, beside the
// ledger. Its lock makes each operation and its record one step.
type world struct {
	mu      sync.Mutex
	l       *ledger
	live    map[*entry]bool // handed out, not settled
	settled []*entry        // acked or condemned, not confirmed
	back    []*entry        // returning after a hand-out
	err     error
}

// step runs an operation and checks what holds at any time.
func (w *world) step(operation func()) {
	defer runtime.Gosched() // so that they take turns
	w.mu.Lock()
	defer w.mu.Unlock()
	operation()
	if err := requireSound(w.l, w.live); err != nil && w.err == nil {
		w.err = err
	}
}

// takeOne hands out an entry, as next does, and notes it.
func (w *world) takeOne() (e *entry) {
	w.step(func() {
		for e = w.l.take(); e != nil && w.l.order != nil && e.keyed == nil && !w.l.assign(e, keyOf(e), nil); {
			e = w.l.take()
		}
		if e == nil {
			return
		}
		for other := range w.live {
			if other.ID == e.ID && !w.l.isLost(other) && w.err == nil {
				w.err = fmt.Errorf("%v was handed out twice", e.ID)
			}
		}
		w.live[e] = true
	})
	return e
}

// settleOne ends a hand-out in one of the ways it can end.
func (w *world) settleOne(e *entry) {
	w.step(func() {
		d := &delivery{}
		if w.l.offer(e, d) && rand.IntN(4) == 0 {
			w.l.withdraw(e)
		}
		s := []state{acked, acked, condemned, returning, forgotten}[rand.IntN(5)]
		delete(w.live, e)
		held := w.l.settle(e, s)
		switch {
		case held == w.l.isLost(e) && w.err == nil:
			w.err = fmt.Errorf("%v: settled %t in state %d", e.ID, held, e.state)
		case !held || s == forgotten:
		case s == returning:
			w.back = append(w.back, e)
		default:
			w.settled = append(w.settled, e)
		}
	})
}

// confirmAll forgets what the server has confirmed.
func (w *world) confirmAll() {
	w.step(func() {
		w.l.forget(append(w.settled, w.back...))
		w.settled, w.back = nil, nil
	})
}

// Several goroutines do what a subscription does, at random; and whatever they
// do, the books balance, and no entry is in two hands.
func TestLedgerModel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		maxInFlight int
		order       *keyOrder
	}{
		"1 in flight": {1, nil}, "3 in flight": {3, nil}, "50 in flight": {50, nil},
		"3 in flight, keys": {3, newKeyOrder()}, "50 in flight, keys": {50, newKeyOrder()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rounds = 1500
			w := &world{l: newLedger(c.maxInFlight, newPace(8)), live: map[*entry]bool{}}
			w.l.order = c.order
			var group sync.WaitGroup
			repeat := func(operation func()) {
				group.Go(func() {
					for range rounds {
						operation()
					}
				})
			}
			repeat(func() { // the reader
				ms := uint64(rand.IntN(60))
				w.step(func() { w.l.admit(batch(ms, ms+1, ms), admission{sent: time.Now(), counted: ms%2 == 0}); w.l.free() })
			})
			for range 3 { // the dispatcher and its handlers
				group.Go(func() {
					var hand []*entry
					for range rounds {
						e := w.takeOne()
						if e != nil {
							hand = append(hand, e)
						}
						if len(hand) > 0 && (e == nil || rand.IntN(2) == 0) {
							w.settleOne(hand[0])
							hand = hand[1:]
						}
					}
					for _, e := range hand {
						w.settleOne(e)
					}
				})
			}
			repeat(w.confirmAll) // the acker
			repeat(func() {      // the releaser, over Redis
				var entries []*entry
				w.step(func() {
					if entries = nil; rand.IntN(2) == 0 {
						entries = w.l.unbuffer()
					} else {
						entries, _ = w.l.unhoard(time.Now())
					}
				})
				if rand.IntN(2) == 0 {
					w.step(func() { w.l.rebuffer(entries) })
				} else {
					w.step(func() { w.l.forget(entries) })
				}
			})
			repeat(func() { // the heartbeat
				entries := w.l.toRenew(time.Now().Add(time.Hour))
				soon := time.Now().Add(time.Hour)
				counted := w.l.keep(append(w.l.waiting(soon), w.l.blocked(soon)...))
				for _, e := range entries {
					w.l.confirm(e, time.Now())
				}
				w.l.ready(counted)
				if all := w.l.all(); len(all) > 0 && rand.IntN(3) == 0 {
					w.step(func() { w.l.lose(all[rand.IntN(len(all))]) })
				}
			})
			repeat(func() { // who only looks
				for _, e := range w.l.unsettled() {
					_, _, _ = w.l.due(e, 0), w.l.handOuts(e), w.l.nextCount(e)
				}
				_, _ = w.l.neverHandedOut(), w.l.deliveriesInFlight()
			})
			group.Wait()
			require.NoError(t, w.err)

			w.confirmAll()
			for e := w.takeOne(); e != nil; e = w.takeOne() {
				w.settleOne(e)
				w.confirmAll()
			}
			require.NoError(t, w.err)
			require.Empty(t, times(slices.Concat(w.l.all(), w.l.buffer)))
			require.Zero(t, w.l.inFlight)
			require.Zero(t, w.l.unconfirmed+w.l.doomed)
			require.Positive(t, w.l.free())
		})
	}
}

// The same without a lock around the operations: the ledger's own has to do.
// Nothing stalls, because whoever waits is woken up.
func TestLedgerPassesEverythingOn(t *testing.T) {
	t.Parallel()
	const n = 20_000
	for _, maxInFlight := range []int{1, 4} {
		l := newLedger(maxInFlight, newPace(maxPrefetch))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		acks, unread, most := make(chan *entry, n), uint64(1), 0
		var group sync.WaitGroup
		group.Go(func() { // the reader
			for unread <= n {
				room := l.room(ctx)
				if room == 0 {
					return
				}
				most = max(most, room)
				for range min(room, n+1-int(unread)) {
					l.admit(batch(unread), read())
					unread++
				}
			}
		})
		var handlers sync.WaitGroup
		for range maxInFlight {
			handlers.Go(func() {
				for range n / maxInFlight {
					e := l.next(ctx, func() {})
					if e == nil {
						return
					}
					l.settle(e, acked)
					acks <- e
				}
			})
		}
		group.Go(func() { // the acker
			for e := range acks {
				l.forget([]*entry{e})
			}
		})
		handlers.Wait()
		close(acks)
		group.Wait()
		require.NoError(t, ctx.Err(), "it stalled")
		cancel()
		require.Zero(t, l.size())
		require.Greater(t, most, 2, "it has to read ahead")
		require.NoError(t, requireSound(l, map[*entry]bool{}))
	}
}

// One message that is in hand for long must not keep the memory of all those that were
// read together with it.
func TestLedgerLetsGoOfWhatIsAcked(t *testing.T) {
	t.Parallel()
	m, _, _ := delaying(t)
	read, ok, err := m.group.Find(t.Context(), xstream.ID{Ms: 1, Seq: 1})
	require.NoError(t, err)
	require.True(t, ok)
	for _, s := range []state{acked, forgotten} {
		l := newLedger(1, newPace(1))
		l.admit([]xstream.Entry{read}, admission{})
		e := l.take()
		require.Equal(t, 1, e.Len())
		l.settle(e, s)
		require.Zero(t, e.Len())
	}
}

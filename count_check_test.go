package redisstream

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

var (
	errCut   = errors.New("read: connection reset by peer")
	errOther = &PartitionsError{Topic: "orders", Configured: 2, Recorded: 3}
)

// asker answers the questions of a countCheck after a second.
type asker struct {
	mu      sync.Mutex // protects the following fields
	asked   int
	answer  error
	skipped int
}

func (a *asker) check() *countCheck {
	return &countCheck{
		ask: func(ctx context.Context) error {
			a.mu.Lock()
			a.asked++
			answer := a.answer
			a.mu.Unlock()
			time.Sleep(time.Second)
			return errors.Join(answer, ctx.Err())
		},
		skipped: func(error) { a.skipped++ },
	}
}

func (a *asker) say(answer error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *asker) total() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

// crowd has many do it at once, and returns how long each took and what it was told.
func crowdOf(c *countCheck, n int) (took []time.Duration, errs []error) {
	took, errs = make([]time.Duration, n), make([]error, n)
	start := time.Now()
	var work sync.WaitGroup
	for i := range n {
		work.Go(func() {
			errs[i] = c.do(context.Background())
			took[i] = time.Since(start)
		})
	}
	work.Wait()
	return took, errs
}

func TestFirstCheckOfTheNumberIsWaitedForByAll(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{"good": nil, "another number": errOther, "no answer": errCut} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &asker{answer: answer}
				took, errs := crowdOf(a.check(), 20)
				require.Equal(t, 1, a.asked, "they share a question")
				for i := range errs {
					require.Equal(t, time.Second, took[i])
					require.ErrorIs(t, errs[i], answer)
					require.Equal(t, answer == nil, errs[i] == nil)
				}
				require.Zero(t, a.skipped)
			})
		})
	}
}

func TestNumberIsCheckedEveryFiveSecondsByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &asker{}
		c := a.check()
		require.NoError(t, c.do(t.Context()))
		for round := range 3 {
			time.Sleep(recheckAfter - time.Second - 1) // it counts from the question
			took, _ := crowdOf(c, 20)
			require.Equal(t, make([]time.Duration, 20), took)
			require.Equal(t, 1+round, a.asked)
			time.Sleep(time.Nanosecond)
			took, errs := crowdOf(c, 20)
			require.Equal(t, 2+round, a.asked)
			slow := 0
			for i := range took {
				require.NoError(t, errs[i])
				if took[i] > 0 {
					slow++
				}
			}
			require.Equal(t, 1, slow, "the others do not wait")
		}
	})
}

func TestBadAnswerAboutTheNumberHoldsAllUpUntilItIsGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &asker{}
		c := a.check()
		require.NoError(t, c.do(t.Context()))
		time.Sleep(recheckAfter)
		a.say(errOther)
		_, errs := crowdOf(c, 5)
		refused := 0
		for _, err := range errs {
			if err != nil {
				require.ErrorIs(t, err, errOther)
				refused++
			}
		}
		require.Equal(t, 1, refused, "the others went on with the answer before")
		for _, answer := range []error{errOther, errCut} { // what was good long ago is no more
			a.say(answer)
			took, errs := crowdOf(c, 5)
			for i := range errs {
				require.ErrorIs(t, errs[i], answer)
				require.Equal(t, time.Second, took[i])
			}
		}
		require.Equal(t, 4, a.asked)
		a.say(nil)
		require.NoError(t, c.do(t.Context()))
		require.NoError(t, c.do(t.Context()))
		require.Equal(t, 5, a.asked)
		require.Zero(t, a.skipped)
	})
}

func TestLaterCheckWithoutAnAnswerChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &asker{}
		c := a.check()
		require.NoError(t, c.do(t.Context()))
		a.say(errCut)
		for round := range 3 {
			time.Sleep(recheckAfter)
			require.NoError(t, c.do(t.Context()))
			require.Equal(t, 2+round, a.asked)
			require.Equal(t, 1+round, a.skipped)
			time.Sleep(recheckAfter - 1) // it counts from the failure
			require.NoError(t, c.do(t.Context()))
			require.Equal(t, 2+round, a.asked)
		}
	})
}

// What an operator has to mend does not go away by itself.
func TestLaterCheckThatIsRefusedIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &asker{}
		c := a.check()
		require.NoError(t, c.do(t.Context()))
		time.Sleep(recheckAfter)
		refused := &rueidis.RedisError{} // a code that is not known to heal by itself
		a.say(refused)
		require.ErrorIs(t, c.do(t.Context()), refused)
		require.Zero(t, a.skipped)
	})
}

func TestContextEndsTheWaitForTheNumberAndNotTheQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &asker{}
		c := a.check()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		first := make(chan error, 1)
		go func() { first <- c.do(ctx) }()
		synctest.Wait()
		start := time.Now()
		require.ErrorIs(t, c.do(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Second/2, time.Since(start))
		require.NoError(t, c.do(t.Context()), "it waits for the same one")
		require.NoError(t, <-first)
		require.Equal(t, 1, a.total())
	})
}

// A hook of the client's may panic.
func TestNobodyWaitsForACheckThatPanicked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &countCheck{ask: func(context.Context) error {
			time.Sleep(time.Second)
			panic("no") //nolint:forbidigo // it stands for code that is not ours
		}}
		go func() {
			defer func() { _ = recover() }()
			_ = c.do(context.Background())
		}()
		synctest.Wait()
		require.ErrorIs(t, c.do(t.Context()), errCheckAbandoned)
		require.Nil(t, c.pending)
	})
}

// Whoever comes while the answer arrives must not ask again.
func TestAnswerAboutTheNumberThatCameMeanwhileCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := (&asker{}).check()
		for range 2 {
			seen := c.due.Load()
			require.NoError(t, c.do(t.Context()))
			q, mine := c.join(seen)
			require.Nil(t, q)
			require.False(t, mine)
			time.Sleep(recheckAfter)
		}
	})
}

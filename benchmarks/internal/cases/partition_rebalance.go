package cases

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

const (
	// mostAfterCrash is what a lease lasts, and a little for those who take over, in ms.
	mostAfterCrash = 5000 + 250
	// startInterval is the time between the starts of many members.
	startInterval = 50 * time.Millisecond
)

// partitionRebalance asks how long it takes until partitions have other owners.
func partitionRebalance() bench.Case {
	return bench.Case{
		Name: "partition-rebalance",
		Metrics: []bench.Metric{
			{Name: "join", Unit: "ms"},
			{Name: "leave", Unit: "ms"},
			{Name: "crash", Unit: "ms", Limits: []bench.Limit{{Cost: mostAfterCrash}}},
			{Name: "start of 20", Unit: "ms"},
		},
		Contestants: []bench.Contestant{{Name: bench.Ours, Run: rebalance}},
	}
}

// rebalance has members come and go. Each time it is another group.
func rebalance(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
	var moved []string
	for i, change := range []func(ctx context.Context, w *watch) (float64, error){joinOne, leaveOne, crashOne, startMany} {
		w := &watch{crew: newCrew(f, contestant.Small, 16)}
		w.Group = fmt.Sprintf("%s-%d", f.Group, i)
		took, err := change(ctx, w)
		if err = errors.Join(err, w.Close()); err != nil {
			return nil, err
		}
		values, moved = append(values, took), append(moved, w.moves)
	}
	f.Note("partitions moved, and the least that can be: %s", strings.Join(moved, ", "))
	return values, nil
}

// joinOne measures from Subscribe of a fifth member until all have even shares.
func joinOne(ctx context.Context, w *watch) (float64, error) {
	if err := w.begin(ctx, 4); err != nil {
		return 0, err
	}
	member, err := w.hire()
	if err != nil {
		return 0, err
	}
	return w.measure(ctx, event{
		name: "join", least: w.Count / 5,
		happen: func(ctx context.Context, begins func()) error {
			begins()
			_, err := member.Subscribe(ctx, w.Topic)
			return err
		},
		isOver: func() bool { return isEven(w.shares(), w.Count, 5) },
	})
}

// leaveOne measures from Close of one of five members until others have its partitions.
func leaveOne(ctx context.Context, w *watch) (float64, error) {
	if err := w.begin(ctx, 5); err != nil {
		return 0, err
	}
	return w.measure(ctx, event{
		name: "leave", least: w.ofFirst(),
		happen: func(_ context.Context, begins func()) error {
			begins()
			return w.members[0].Close()
		},
		isOver: w.othersHaveAll,
	})
}

// crashOne is leaveOne without a word.
func crashOne(ctx context.Context, w *watch) (float64, error) {
	if err := w.begin(ctx, 5); err != nil {
		return 0, err
	}
	return w.measure(ctx, event{
		name: "crash", least: w.ofFirst(),
		happen: func(_ context.Context, begins func()) error {
			begins()
			w.members[0].Crash()
			return nil
		},
		isOver: w.othersHaveAll,
	})
}

// startMany measures from Subscribe of the last of 20 members until all have even shares. The first
// one takes all partitions, and keeps one.
func startMany(ctx context.Context, w *watch) (float64, error) {
	const members = 20
	if err := w.look(ctx); err != nil {
		return 0, err
	}
	return w.measure(ctx, event{
		name: "start of 20", least: w.Count + w.Count - 1,
		happen: func(ctx context.Context, begins func()) error {
			tick := time.NewTicker(startInterval)
			defer tick.Stop()
			for range members - 1 {
				if err := w.join(ctx); err != nil {
					return err
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-tick.C:
				}
			}
			begins()
			return w.join(ctx)
		},
		isOver: func() bool { return isEven(w.shares(), w.Count, members) },
	})
}

// event is what happens to a group.
type event struct {
	name   string
	least  int                                            // how many partitions have to move
	happen func(ctx context.Context, begins func()) error // the time is taken from begins on
	isOver func() bool
}

// watch looks at who has the partitions of a crew.
type watch struct {
	*crew

	owners []string // by partition; "" is nobody
	before []string // the last of each
	moved  int
	moves  string // in words
}

// begin has so many members share the partitions. It returns at any time between two signs of
// life.
func (w *watch) begin(ctx context.Context, members int) error {
	for range members {
		if err := w.join(ctx); err != nil {
			return err
		}
	}
	if err := w.settle(ctx, members); err != nil {
		return err
	}
	if err := elapse(ctx, rand.N(window(w.fixture, leaseTTL)/3)); err != nil {
		return err
	}
	return w.look(ctx)
}

// measure returns how long an event takes, in ms.
func (w *watch) measure(ctx context.Context, e event) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began, happened := make(chan time.Time, 1), make(chan struct{})
	go func() {
		defer close(happened)
		if err := e.happen(ctx, func() { began <- time.Now() }); err != nil {
			cancel(err)
		}
	}()
	var start time.Time
	w.moved = 0
	err := poll(ctx, func() (bool, error) {
		if err := w.look(ctx); err != nil {
			return false, err
		}
		select {
		case start = <-began:
		default:
		}
		return !start.IsZero() && e.isOver(), nil
	})
	took := time.Since(start)
	if err != nil {
		cancel(err)
	}
	<-happened
	w.moves = fmt.Sprintf("%s %d (%d)", e.name, w.moved, e.least)
	return float64(took.Nanoseconds()) / 1e6, context.Cause(ctx)
}

// look asks for the owners, and counts those that are others than before.
func (w *watch) look(ctx context.Context) error {
	owners, err := w.fixture.Redis.Owners(ctx, w.Partitions)
	if err != nil {
		return err
	}
	if w.owners == nil {
		w.before = make([]string, len(owners))
	}
	for i, owner := range owners {
		if owner != "" && owner != w.before[i] {
			w.before[i] = owner
			w.moved++
		}
	}
	w.owners = owners
	return nil
}

// shares is how many partitions each member has.
func (w *watch) shares() map[string]int {
	shares := map[string]int{}
	for _, owner := range w.owners {
		if owner != "" {
			shares[owner]++
		}
	}
	return shares
}

// ofFirst is how many the first member has.
func (w *watch) ofFirst() int {
	n := 0
	for _, owner := range w.owners {
		if strings.HasPrefix(owner, memberName(0)+"-") {
			n++
		}
	}
	return n
}

// othersHaveAll reports whether the first member has none, and each has an owner.
func (w *watch) othersHaveAll() bool { return w.ofFirst() == 0 && !slices.Contains(w.owners, "") }

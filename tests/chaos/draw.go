package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// Draw makes the plan of a seed. The same seed is the same plan for as long as the
// catalog of faults is the same.
func Draw(seed uint64) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	p := Plan{
		Seed:         seed,
		Publishers:   1 + r.IntN(2),
		CloseTimeout: between(r, 200*time.Millisecond, time.Second),
	}
	for i := range 1 + r.IntN(2) {
		p.Groups = append(p.Groups, drawMembers(r, fmt.Sprintf("group-%d", i+1)))
	}
	if r.IntN(2) == 0 {
		p.FanOut = append(p.FanOut, Members{Count: 1, MaxInFlight: oneOf(r, 1, 8), MaxDeliveries: oneOf(r, 0, 5)})
	}
	p.Publisher = drawPublisher(r, p)
	p.Strikes = drawStrikes(r, p, catalog(), 2+r.IntN(5))
	p.Requeue = r.IntN(2) == 0
	return p
}

func drawMembers(r *rand.Rand, group string) Members {
	return Members{
		Group:         group,
		Count:         1 + r.IntN(3) + r.IntN(2),
		Named:         r.IntN(4) == 0,
		MaxInFlight:   oneOf(r, 1, 8),
		MaxDeliveries: oneOf(r, 0, 0, 2, 3, 5, 8),
		ReturnToGroup: r.IntN(2) == 0,
	}
}

// drawPublisher has poison only where it comes to an end. A killer costs a
// second or two with each of its deliveries, so there is one, and few deliveries.
func drawPublisher(r *rand.Rand, p Plan) task.Publisher {
	t := task.Publisher{Batch: oneOf(r, 2, 10)}
	t.Every = pace(r, p, t.Batch)
	most := 0
	for _, m := range p.Groups {
		if m.MaxDeliveries == 0 {
			return t
		}
		most = max(most, m.MaxDeliveries)
	}
	t.Poison = oneOf(r, 0, 40)
	if most <= 3 {
		t.Killer = oneOf(r, 0, 10, 30)
	}
	return t
}

// pace is the pause between the calls of a publisher. All together they publish no more than the
// slowest audience handles, or a round would last until its backlog is done.
func pace(r *rand.Rand, p Plan, batch int) time.Duration {
	const most, ofOne = 250, 60 // messages in a second
	slots := most
	for _, m := range slices.Concat(p.Groups, p.FanOut) {
		slots = min(slots, m.Count*m.MaxInFlight)
	}
	rate := ofOne/2 + r.IntN(min(most, ofOne*slots))
	size := 1 + (batch-1)/6 // a third of the calls are batches
	return time.Second * time.Duration(size*p.Publishers) / time.Duration(rate)
}

// drawStrikes are up to n faults. Those of the server come one after the other, and those of a
// process too: the end of one would be the end of another.
func drawStrikes(r *rand.Rand, p Plan, cards []card, n int) []Strike {
	var strikes []Strike
	free := map[string]time.Duration{}
	for range n {
		c := cards[r.IntN(len(cards))]
		target := c.target(r, p)
		lane := target
		if c.hits == theHub {
			lane = history.Server
		}
		at := free[lane] + between(r, 100*time.Millisecond, 700*time.Millisecond)
		length := between(r, c.least, c.most)
		s := Strike{Name: c.name, Target: target, At: at, For: length, hits: c.hits, fault: c.make(r, target, length)}
		if s.At+s.For > longest {
			continue
		}
		free[lane] = s.At + s.For
		strikes = append(strikes, s)
	}
	slices.SortStableFunc(strikes, func(a, b Strike) int { return cmp.Compare(a.At, b.At) })
	return strikes
}

// longest is when the last fault has ended.
const longest = 4 * time.Second

func oneOf(r *rand.Rand, values ...int) int { return values[r.IntN(len(values))] }

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return (least + time.Duration(r.Int64N(int64(most-least)))).Round(time.Millisecond)
}

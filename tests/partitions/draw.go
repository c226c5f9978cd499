package partitions

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

const (
	// slotCount is how many members there may be at once.
	slotCount = 6
	// publisherCount is how many publishers there are.
	publisherCount = 2
	// stormLength is how long new faults begin.
	stormLength = 2 * time.Second
)

// Draw makes the plan of a seed. The same seed is the same plan for as long as the catalog of
// faults is the same.
func Draw(seed uint64) Plan { return drawFrom(seed, catalog()) }

// only are those of the cards that have one of the names.
func only(names []string) []card {
	return slices.DeleteFunc(catalog(), func(c card) bool { return !slices.Contains(names, c.name) })
}

// drawFrom makes a plan with some faults only.
func drawFrom(seed uint64, cards []card) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	p := Plan{
		Seed:         seed,
		MaxInFlight:  make([]int, slotCount),
		First:        2 + r.IntN(3),
		Publishers:   publisherCount,
		Keys:         12 + r.IntN(12),
		Every:        between(r, 50*ms, 200*ms),
		Takes:        between(r, 2*ms, 10*ms),
		CloseTimeout: between(r, 200*ms, 1000*ms),
	}
	several := r.IntN(3) // of three: nobody handles several messages of a partition, some do, or all
	for i := range p.MaxInFlight {
		p.MaxInFlight[i] = 1
		if r.IntN(2) < several {
			p.MaxInFlight[i] = 8
		}
	}
	d := &drawing{r: r, cards: cards, lives: make([]bool, slotCount)}
	for i := range p.First {
		d.lives[i] = true
	}
	for range 2 + r.IntN(4)/3 {
		p.Storms = append(p.Storms, d.storm())
	}
	return p
}

// drawing is what a plan has come to while its faults are drawn, in the order of time.
type drawing struct {
	r     *rand.Rand
	cards []card
	lives []bool                   // by slot
	busy  map[string]time.Duration // until when a lane is taken
}

func (d *drawing) storm() Storm {
	var s Storm
	d.busy = map[string]time.Duration{}
	at := between(d.r, 0, 300*ms)
	for at < stormLength {
		if strike, ok := d.strike(at); ok {
			s.Strikes = append(s.Strikes, strike)
			at += between(d.r, 0, 600*ms)
		}
		at += 10 * ms
	}
	slices.SortStableFunc(s.Strikes, func(a, b Strike) int { return cmp.Compare(a.At, b.At) })
	return s
}

// strike draws a fault that can happen at a time, and reports false if the one that was drawn
// can't.
func (d *drawing) strike(at time.Duration) (Strike, bool) {
	c := d.cards[d.r.IntN(len(d.cards))]
	slot := d.r.IntN(slotCount)
	target := memberName(slot)
	switch c.hits {
	case theHub, aMoment:
		target = history.Server
	case aLine, aPath:
		if d.r.IntN(5) == 0 {
			target = publisherName(d.r.IntN(publisherCount))
		} else if !d.lives[slot] {
			return Strike{}, false
		}
	default:
		if d.lives[slot] == (c.hits == aVacancy) {
			return Strike{}, false
		}
	}
	if c.hits == aMember && d.count() < 2 {
		return Strike{}, false
	}
	if at < d.busy[c.hits.lane(target)] {
		return Strike{}, false
	}
	length := between(d.r, c.least, c.most)
	d.busy[c.hits.lane(target)] = at + length + 50*ms
	switch c.hits {
	case aVacancy:
		d.lives[slot] = true
	case aMember:
		d.lives[slot] = false
	default:
	}
	return Strike{Name: c.name, Target: target, At: at, For: length, hits: c.hits, fault: c.make(d.r, target)}, true
}

// count is how many members live.
func (d *drawing) count() int {
	n := 0
	for _, lives := range d.lives {
		if lives {
			n++
		}
	}
	return n
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return (least + time.Duration(r.Int64N(int64(most-least)))).Round(time.Millisecond)
}

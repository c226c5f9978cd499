// Package bench runs contestants against each other, one after the other and round by round, and
// tells what the rounds have in common. On a machine that others use too, the time of a round
// says little, and the ratio of two that ran side by side says a lot.
package bench

import (
	"context"
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

// Ours is the name of the contestant that the others are compared with.
const Ours = "ours"

// A Case is one thing that all of its contestants do.
type Case struct {
	Name        string
	Messages    int           // of each contestant and round, at scale 1
	Rounds      int           // at most; 0 is no limit
	Parts       int           // of a round, each with as many fewer messages; 0 is 1
	Timeout     time.Duration // of each contestant in each round; 0 is a minute
	Metrics     []Metric
	Contestants []Contestant
	Aside       bool // not part of the table of all cases, which is about other libraries
	// Refused says why the servers are not fit for the case, or "". nil is fit. What is left out is
	// said.
	Refused func(ctx context.Context, s *servers.Servers) (string, error)
}

// A Contestant does what a case asks for, in its own way.
type Contestant struct {
	Name string
	// Share divides the messages of a contestant that is so slow that it would take up most of
	// the run. 0 is 1. What is reported is per message.
	Share int
	// Run returns one value for each metric of the case. What it needs before and after is its own
	// and not part of the values.
	Run func(ctx context.Context, f *Fixture) ([]float64, error)
}

// A Metric is something that costs: less is better.
type Metric struct {
	Name string // "" if the case has only one
	Unit string
	// Rate says that the value is in microseconds per message, so that there is a rate.
	Rate    bool
	Targets []Target
	Limits  []Limit
}

// A Target is how many times the cost of ours the best of others must have at least. Without
// others, it is how much ours may cost at most.
type Target struct {
	Others []string
	Value  float64
}

// Alone is the case without the others, and without what is asked in relation to them.
func (c Case) Alone() Case {
	c.Contestants = slices.DeleteFunc(slices.Clone(c.Contestants), func(other Contestant) bool { return other.Name != Ours })
	c.Metrics = slices.Clone(c.Metrics)
	for i := range c.Metrics {
		c.Metrics[i].Targets = nil
	}
	return c
}

// turns is how often each contestant runs, if there are so many rounds.
func (c Case) turns(rounds int) int {
	if c.Rounds > 0 {
		rounds = min(rounds, c.Rounds)
	}
	return rounds * max(c.Parts, 1)
}

// messages is how many a contestant gets in a turn.
func (c Case) messages(contestant Contestant, scale float64) int {
	const fewest = 100
	return max(fewest, int(float64(c.Messages)*scale)/max(c.Parts, 1)/max(contestant.Share, 1))
}

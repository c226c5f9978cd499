package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

const (
	// variantTimeout bounds one contestant in one round.
	variantTimeout = time.Minute
	// hangTimeout is how much longer one may take that does not heed its context.
	hangTimeout = 20 * time.Second
)

var errHangs = errors.New("it does not end")

// Runner runs cases. One that has returned an error must not be used again.
type Runner struct {
	Servers *servers.Servers
	Rounds  int
	Scale   float64
	topics  int
}

// Run runs all rounds of a case.
func (r *Runner) Run(ctx context.Context, c Case) (Outcome, error) {
	outcome := Outcome{Case: c, Values: make(map[string][][]float64, len(c.Contestants))}
	for turn := range c.turns(r.Rounds) {
		for _, contestant := range inTurn(c.Contestants, turn) {
			values, notes, err := r.variant(ctx, c, contestant)
			if err != nil {
				return Outcome{}, fmt.Errorf("%s: %s: %w", c.Name, contestant.Name, err)
			}
			outcome.Values[contestant.Name] = append(outcome.Values[contestant.Name], values)
			for _, note := range notes {
				outcome.Notes = append(outcome.Notes, contestant.Name+": "+note)
			}
		}
	}
	return outcome, nil
}

// inTurn is the order of the contestants: each is the first sometimes, and none has always the same
// one before it, who may leave it a warm machine or much to tidy up.
func inTurn(contestants []Contestant, turn int) []Contestant {
	first := turn % len(contestants)
	order := slices.Concat(contestants[first:], contestants[:first])
	if turn%2 == 1 {
		slices.Reverse(order[1:])
	}
	return order
}

// variant runs one contestant once. A contestant that hangs must not hold up the program, so it
// has a goroutine that is left behind then.
func (r *Runner) variant(ctx context.Context, c Case, contestant Contestant) ([]float64, []string, error) {
	timeout := cmp.Or(c.Timeout, variantTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := r.Servers.Reset(ctx); err != nil {
		return nil, nil, err
	}
	runtime.GC()
	r.topics++
	topic := fmt.Sprintf("topic-%d", r.topics)
	fixture := &Fixture{
		Servers: r.Servers, Topic: topic, Output: topic + "-out", Group: "group",
		Messages: c.messages(contestant, r.Scale), Scale: r.Scale,
	}
	var values []float64
	ended := make(chan error, 1) // for the one that comes too late
	go func() {
		var err error
		values, err = contestant.Run(ctx, fixture)
		ended <- err
	}()
	hang := time.NewTimer(timeout + hangTimeout)
	defer hang.Stop()
	select {
	case <-hang.C:
		return nil, nil, errHangs
	case err := <-ended:
		if err == nil && len(values) != len(c.Metrics) {
			err = fmt.Errorf("%d values for %d metrics", len(values), len(c.Metrics))
		}
		return values, fixture.notes, err
	}
}

package redisstream

import (
	"context"
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

const (
	// settleTime is for how long nobody may have come or gone before something is given up,
	// so that a deploy moves partitions once.
	settleTime = 300 * time.Millisecond
	// quietTime is the same for any news, but for no longer than maxQuietTime.
	quietTime    = 50 * time.Millisecond
	maxQuietTime = time.Second
	// beatGap is the least time between two beats.
	beatGap = 20 * time.Millisecond
	// refusedFirst is how long to wait before another attempt at a partition that another
	// member still has.
	refusedFirst = 50 * time.Millisecond
	// lastGrants is for how long answers are waited for that grant something at the end.
	lastGrants = 300 * time.Millisecond
	// lastWait is for how long its read is waited for, from the beginning of the end.
	lastWait = 500 * time.Millisecond
	// lastWords bounds what is said at the end, when everything is given up already.
	lastWords = 100 * time.Millisecond
)

// coordinator is a member of a partitioned topic's group. It tells the others what it
// has, learns what they have, and takes and gives up partitions so that the shares are
// even. Nobody leads: all calculate the same shares from the same news, and the leases
// decide where the news are late.
//
// One goroutine does everything; others send it what it has to do.
type coordinator struct {
	roster xstream.Roster
	id     string // of the member
	terms  terms
	log    logger
	waker  *waker
	free   func() // gives back what was reserved

	events chan func()
	kick   chan struct{}   // one token: there are news
	over   chan struct{}   // closed when run has ended
	asks   context.Context //nolint:containedctx // what ends the wait for grants at the end

	// run's own.
	claims   []*claim // by partition
	shares   map[string]share
	owners   []string // by partition, as the members say
	targets  []string // as it should be
	version  string
	met      time.Time // when the members were others
	heard    time.Time // when there were the last news
	beat     trouble
	nextBeat time.Time
	lastBeat time.Time
	unheard  time.Time // when the first of the beats in a row was sent that got no answer; zero = none
	leaving  bool
	refused  error // another number of partitions is recorded
}

// run works until stop ends, and then gives everything back.
func (c *coordinator) run(stop context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(stop))
	defer cancel()
	defer close(c.over)
	go func() {
		defer c.free()
		c.waker.run(stop)
	}()
	left := stop.Done()
	var ending time.Time
	var endAsks context.CancelFunc
	c.asks, endAsks = context.WithCancel(work)
	defer endAsks()
	for !c.leaving || c.isBusy() {
		talk := stop // a beat must not keep us from the end
		if c.leaving {
			talk = work
		}
		next := c.step(talk, work)
		timer := time.NewTimer(max(time.Until(next), 0))
		select {
		case <-timer.C:
		case f := <-c.events:
			f()
		case <-c.kick:
			c.news()
		case <-left:
			// What can be given up at once needs no word but that we have left.
			ending = time.Now()
			left, c.leaving, c.lastBeat = nil, true, ending
			time.AfterFunc(lastGrants, endAsks)
			go c.waker.stop(work)
			c.revokeAll(context.Cause(stop))
			c.news()
		}
		timer.Stop()
	}
	_, _ = within(work, lastWords, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.roster.Leave(ctx, c.id) // it expires by itself
	})
	c.awaitWaker(ending.Add(lastWait))
}

// awaitWaker waits for the end of the waker; its read ends by itself, if later.
func (c *coordinator) awaitWaker(until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-c.waker.done:
	case <-timer.C:
	}
}

// isBusy reports whether something has to come to its end.
func (c *coordinator) isBusy() bool {
	return slices.ContainsFunc(c.claims, func(p *claim) bool { return p.session != nil || p.asking })
}

// tell has run do something.
func (c *coordinator) tell(f func()) {
	select {
	case c.events <- f:
	case <-c.over:
	}
}

// news has the next beat come soon.
func (c *coordinator) news() {
	if soon := c.lastBeat.Add(beatGap); soon.Before(c.nextBeat) {
		c.nextBeat = soon
	}
}

// heardOf is told of a version that others may have made.
func (c *coordinator) heardOf(version string) {
	if version != c.version {
		c.news()
	}
}

// step does what is due, and returns when something will be again.
func (c *coordinator) step(talk, work context.Context) time.Time {
	now := time.Now()
	if !now.Before(c.nextBeat) {
		c.doBeat(talk)
	}
	next := c.nextBeat
	if again := c.rebalance(work); !again.IsZero() && again.Before(next) {
		next = again
	}
	return next
}

package redisstream

import (
	"context"
	"sync"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

const (
	// claimPage is how many entries one look offers. They are only IDs; nothing
	// changes its owner before there is room for it.
	claimPage = 256
	// scanPage bounds one step of the scan over everything that is pending.
	scanPage = 500
)

// claimer finds entries that somebody left: released ones, delayed ones when they
// are due, and those of consumers that have been silent for MinIdle. It does not take
// them. The reader
// does, before it reads new ones and only as many as there is room for.
//
// Looking is cheap when there is nothing to find: one summary. Only then are the
// consumers listed, and only the silent ones' entries.
type claimer struct {
	member *member
	ledger *ledger
	health *health
	log    logger
	topic  string
	should func(topic string, entry PendingEntry) bool // nil = all

	nudge func(ctx context.Context) // ends a blocked read, so that an offer is taken
	look  func()                    // has our own pending entries looked through
	hang  func()                    // gives up a blocked read: the server does not answer

	taken  chan struct{} // one token: the last offer was taken
	called chan struct{} // one token: a patrol has seen something
	sooner chan struct{} // one token: the next sweep may have to come earlier

	mu     sync.Mutex // protects the following fields
	offers []*xstream.Claim
	looks  int       // at what is released, begun so far
	latest int       // which of them offered last
	due    time.Time // when the next entry is due that was given back for later; zero = none

	// run's own.
	cursors   map[string]xstream.ID // where the look at a silent consumer goes on
	nextLook  time.Time             // when to look at the consumers again
	scanFrom  xstream.ID
	scanned   bool // at least a page
	nextScan  time.Time
	highest   xstream.ID      // of what was pending
	silent    []xstream.Count // what was seen of silent consumers
	surplus   int             // sweeps in a row that saw more entries of ours than we hold
	empty     int             // sweeps in a row with nothing pending
	lastTotal xstream.Summary
	nextPos   time.Time
	delays    delays
	watched   bool // by a patrol
}

func newClaimer(m *member, topic string, should func(string, PendingEntry) bool, log logger) *claimer {
	return &claimer{
		member: m, ledger: m.ledger, health: m.health, log: log, topic: topic, should: should,
		taken:    make(chan struct{}, 1),
		called:   make(chan struct{}, 1),
		sooner:   make(chan struct{}, 1),
		cursors:  map[string]xstream.ID{},
		nextScan: time.Now().Add(jitter(m.minIdle)),
	}
}

// run sweeps until ctx ends: every second or two, sooner when a consumer is
// about to count as gone, and at once when all that was found has been taken. While
// nothing is pending, a patrol looks.
func (c *claimer) run(ctx context.Context) {
	t := trouble{log: c.log, doing: "look for entries to claim"}
	timer := time.NewTimer(c.interval())
	defer timer.Stop()
	var post *post
	for {
		select {
		case <-ctx.Done():
			post.leave()
			return
		case <-c.sooner:
			timer.Reset(c.interval())
			continue
		case <-c.taken:
		case <-c.called:
		case <-c.member.silence:
			c.hang()
		case <-timer.C:
		}
		post.leave()
		err := c.sweep(ctx)
		select {
		case <-c.member.silence:
			c.hang()
		default:
		}
		if err != nil {
			c.health.note(time.Now(), err)
			if !t.wait(ctx, err) {
				return
			}
		} else {
			t.over()
		}
		c.hand(ctx)
		if post = nil; c.isIdle() && err == nil { // else there is more to say of it
			post = stand(c.member, c.sweepMost(), c.nextPos, c.called) //nolint:contextcheck // others stand there too
		}
		c.watched = post != nil
		timer.Reset(c.interval())
	}
}

// isIdle reports whether nothing was pending for a while.
func (c *claimer) isIdle() bool { return c.empty >= 3 }

// hand waits until the offers are taken, or the next sweep is due. A reader that is
// blocked does not know of them.
func (c *claimer) hand(ctx context.Context) {
	if !c.offering() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sweepMost)
	defer cancel()
	ticker := time.NewTicker(interruptEvery)
	defer ticker.Stop()
	for c.offering() {
		c.nudge(ctx)
		select {
		case <-ctx.Done():
			return
		case <-c.taken:
			wake(c.taken) // so that the next sweep comes at once
		case <-ticker.C:
		}
	}
}

// sweepMost is the longest time between two sweeps: released entries are taken
// over within two seconds, the sweep itself included.
const sweepMost = 1500 * time.Millisecond

// sweepMost is sweepMost where MinIdle is not short. Else it has to be shorter still, or a
// server that was frozen for long enough to make everybody look silent could go unnoticed
// between two sweeps.
func (c *claimer) sweepMost() time.Duration { return min(sweepMost, c.member.minIdle/4) }

// interval is the time to the next sweep.
func (c *claimer) interval() time.Duration {
	d := jitter(c.sweepMost())
	switch {
	case c.watched:
		d = time.Hour
	case c.isIdle():
		d = untilTick(c.sweepMost())
	}
	if due := c.nextDue(); !due.IsZero() {
		d = min(d, time.Until(due))
	}
	if !c.nextLook.IsZero() {
		d = min(d, time.Until(c.nextLook))
	}
	return max(d, 10*time.Millisecond)
}

// sweep looks once for entries to take over.
func (c *claimer) sweep(ctx context.Context) error {
	c.mu.Lock()
	c.due = time.Time{} // what is still to come is found again
	c.mu.Unlock()
	if c.member.unheld.gave() { // into a group that may be gone, and nobody else knows
		if _, err := c.member.groupReplaced(ctx, c.member.currentEpoch()); err != nil {
			return err
		}
	}
	epoch := c.member.currentEpoch()
	sum, err := askWithin(ctx, c.member, min(c.member.timeout(), silenceTime), c.member.group.Summary)
	if err != nil {
		return err
	}
	if err := c.learnPosition(ctx, sum); err != nil {
		return err
	}
	if sum.Total == 0 {
		c.empty++
		c.surplus = 0
		c.silent = nil
		c.member.unheld.saw(nil, nil)
		c.nextLook = time.Time{}
		return nil
	}
	c.empty = 0
	c.highest, _ = xstream.ParseID(sum.Highest)
	own, released, delayed := sum.ByConsumer[c.member.name()], sum.ByConsumer[xstream.Released], sum.ByConsumer[xstream.Delayed]
	c.compare(own)
	var free []xstream.Count
	if released > 0 {
		if free, err = c.offerReleased(ctx); err != nil {
			return err
		}
	}
	if delayed > 0 {
		later, err := c.offerDue(ctx, delayed)
		if err != nil {
			return err
		}
		free = append(free, later...)
	}
	if sum.Total == own+released+delayed {
		c.silent = nil
		c.nextLook = time.Time{}
	} else if err := c.lookAtOthers(ctx); err != nil {
		return err
	}
	if again, err := c.member.groupReplaced(ctx, epoch); again || err != nil {
		return err // what we saw may be the new group's: the next sweep sees it again
	}
	c.member.unheld.saw(append(free, c.silent...), c.delays.walked())
	return nil
}

// compare notices entries that are ours on the server only. One sweep may see a
// read on its way; two can't.
func (c *claimer) compare(own int64) {
	if own <= int64(c.ledger.size()) {
		c.surplus = 0
		return
	}
	if c.surplus++; c.surplus >= 2 {
		c.surplus = 0
		c.look()
	}
}

// positionEvery is how often the group's position is asked for while nothing seems to
// move.
const positionEvery = 30 * time.Second

// learnPosition keeps the group's position for the day when the group is gone.
// It asks only when something seems to have moved, or for a while has not.
func (c *claimer) learnPosition(ctx context.Context, sum xstream.Summary) error {
	moved := sum.Highest != c.lastTotal.Highest
	if !moved && time.Now().Before(c.nextPos) {
		return nil
	}
	c.lastTotal, c.nextPos = sum, time.Now().Add(positionEvery)
	position, err := ask(ctx, c.member, c.member.group.Position)
	if err != nil {
		return err
	}
	last, err := ask(ctx, c.member, c.member.lastID)
	if err != nil {
		return err
	}
	c.member.sawPosition(position)
	c.member.sawID(last)
	return nil
}

// lookForReleased offers what was released and reports whether that is anything.
// It may take a second at most: the first read of a subscription waits for it.
func (c *claimer) lookForReleased(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	epoch := c.member.currentEpoch()
	free, err := c.offerReleased(ctx)
	if err != nil {
		return false
	}
	if len(free) > 0 {
		if again, err := c.member.groupReplaced(ctx, epoch); !again && err == nil {
			c.member.unheld.released(free)
		}
	}
	return c.offering()
}

// offerReleased offers what is released now, instead of what was offered before.
func (c *claimer) offerReleased(ctx context.Context) ([]xstream.Count, error) {
	look := c.beginLook()
	pending, err := c.list(ctx, xstream.PendingQuery{Consumer: xstream.Released, Count: claimPage})
	if err != nil {
		return nil, err
	}
	c.offerLooked(look, pending)
	return countsOf(pending), nil
}

func (c *claimer) list(ctx context.Context, q xstream.PendingQuery) ([]xstream.Pending, error) {
	return ask(ctx, c.member, func(ctx context.Context) ([]xstream.Pending, error) {
		return c.member.group.Pending(ctx, q)
	})
}

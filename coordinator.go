package redisstream

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"

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
			left, c.leaving, c.lastBeat = nil, true, time.Now()
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

// doBeat tells the others what we have, and learns of them.
func (c *coordinator) doBeat(ctx context.Context) {
	c.lastBeat = time.Now()
	timeout := c.terms.timeout()
	if c.leaving {
		timeout = min(timeout, lastWords)
	}
	if c.isDeaf() {
		if _, err := within(ctx, timeout, func(ctx context.Context) (struct{}, error) { return struct{}{}, c.roster.Ask(ctx) }); err != nil {
			if ctx.Err() == nil {
				c.beatFailed(err)
			}
			return
		}
	}
	b := xstream.Beat{Member: c.id, TTL: c.terms.ttl, Count: len(c.claims), Owned: c.share().String(), Known: c.version}
	snapshot, err := within(ctx, timeout, func(ctx context.Context) (xstream.Snapshot, error) { return c.roster.Beat(ctx, b) })
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.beatFailed(err)
		return
	}
	c.beat.over()
	c.refused, c.unheard = nil, time.Time{}
	c.learn(snapshot)
	c.nextBeat = time.Now().Add(c.terms.tick())
	for _, p := range c.claims {
		if later := p.lost.Add(settleTime + time.Millisecond); !p.lost.IsZero() && later.After(c.lastBeat) && later.Before(c.nextBeat) {
			c.nextBeat = later // to say that it is held up
		}
	}
	if soonest := c.lastBeat.Add(snapshot.Soonest + 5*time.Millisecond); soonest.Before(c.nextBeat) { // somebody is overdue
		c.nextBeat = soonest
	}
}

// isDeaf reports whether nothing that we said was answered in time for long. Over a slow
// line it may be heard all the same: then we look alive, and are granted what we never learn
// of. So who is deaf asks before it beats, and is forgotten until there is an answer.
func (c *coordinator) isDeaf() bool {
	return !c.unheard.IsZero() && time.Since(c.unheard) > c.terms.ttl
}

func (c *coordinator) beatFailed(err error) {
	var other *xstream.CountError
	if errors.As(err, &other) {
		if c.refused == nil {
			c.log.Error("The topic has another number of partitions now; nothing is received until the number is the same", err, watermill.LogFields{
				"configured": len(c.claims), "recorded": other.Recorded,
			})
		}
		c.refused = err
		c.revokeAll(ErrPartitionLost)
		c.nextBeat = time.Now().Add(c.terms.timeout())
		return
	}
	if c.unheard.IsZero() {
		c.unheard = c.lastBeat
	}
	c.beat.failures++
	c.beat.report(err)
	c.nextBeat = time.Now().Add(c.terms.retryPause(c.beat.failures))
}

// learn takes note of what the members say.
func (c *coordinator) learn(s xstream.Snapshot) {
	if s.Version == c.version {
		return
	}
	before := c.shares
	c.version, c.heard = s.Version, time.Now()
	c.shares = make(map[string]share, len(s.Owned))
	for id, text := range s.Owned {
		c.shares[id] = parseShare(text, len(c.claims))
	}
	c.owners, c.targets = divide(len(c.claims), c.shares).owner, targets(len(c.claims), c.shares)
	if !maps.EqualFunc(before, c.shares, func(a, b share) bool { return a.leaving == b.leaving }) {
		c.met = c.heard
	}
	for _, p := range c.claims {
		if p.failed.IsZero() {
			p.again, p.refused = time.Time{}, 0
		}
	}
}

// share is what we say of ourselves.
func (c *coordinator) share() share {
	s := share{leaving: c.leaving}
	for _, p := range c.claims {
		if p.session != nil && !p.session.isOver() { // else others may have it
			s.owned = append(s.owned, p.index)
		}
		if p.out || p.isHeldUp() {
			s.out = append(s.out, p.index)
		}
	}
	return s
}

// rebalance takes and gives up partitions, and returns when to look again; zero is when
// there are news.
func (c *coordinator) rebalance(ctx context.Context) time.Time {
	if c.shares == nil || c.leaving || c.refused != nil || c.isDeaf() {
		return time.Time{}
	}
	var next time.Time
	until := func(t time.Time) bool {
		if !time.Now().Before(t) {
			return true
		}
		if next.IsZero() || t.Before(next) {
			next = t
		}
		return false
	}
	for i, target := range c.targets {
		p, owner := c.claims[i], c.owners[i]
		switch ours := target == c.id; {
		case p.session != nil && !ours && owner == c.id && !p.session.revoking:
			if until(c.settled()) {
				c.revoke(p, ErrPartitionLost)
			}
		case p.session == nil && !p.asking && ours && (owner == "" || owner == c.id):
			if until(p.again) {
				c.ask(ctx, p)
			}
		case p.out && !p.asking:
			if until(p.again) {
				c.ask(ctx, p) // it is refused by who has it, which is an answer
			}
		}
	}
	return next
}

// settled is when it will have been quiet for long enough to give something up.
func (c *coordinator) settled() time.Time {
	quiet := c.heard.Add(quietTime)
	if last := c.met.Add(maxQuietTime); last.Before(quiet) {
		quiet = last
	}
	if met := c.met.Add(settleTime); met.After(quiet) {
		return met
	}
	return quiet
}

func (c *coordinator) revoke(p *claim, cause error) {
	p.session.revoking = true
	p.session.end(cause)
}

func (c *coordinator) revokeAll(cause error) {
	for _, p := range c.claims {
		if p.session != nil && !p.session.revoking {
			c.revoke(p, cause)
		}
	}
}

// ask asks for a partition.
func (c *coordinator) ask(ctx context.Context, p *claim) {
	if p.full {
		if p.full = !p.hasRoom(); p.full { // it would be granted in vain
			p.again = time.Now().Add(c.terms.ttl)
			return
		}
	}
	p.asking = true
	go func() {
		sent := time.Now()
		grant, err := within(c.asks, c.terms.timeout(), p.acquire) //nolint:contextcheck // it ends before the other one
		c.tell(func() {
			p.asking = false
			c.answered(ctx, p, sent, grant, err)
		})
	}()
}

// answered takes note of the answer to ask.
func (c *coordinator) answered(ctx context.Context, p *claim, sent time.Time, grant xstream.Grant, err error) {
	if err != nil {
		c.askFailed(p, err)
		return
	}
	if grant.Epoch == 0 {
		c.reached(p)
		p.refused++
		wait := growing(refusedFirst, 2, c.terms.ttl/2, p.refused)
		p.again = time.Now().Add(min(grant.Left+time.Millisecond, wait))
		return
	}
	until := c.terms.until(sent)
	if c.leaving || c.refused != nil || !time.Now().Before(until) {
		go p.give(ctx, grant.Epoch)
		return
	}
	s, err := p.begin(ctx, grant.Epoch, until)
	if err != nil {
		go p.give(ctx, grant.Epoch)
		c.askFailed(p, err)
		p.full = true
		c.leaveOut(p)
		return
	}
	c.reached(p)
	p.refused = 0
	c.serve(ctx, p, s)
}

func (c *coordinator) askFailed(p *claim, err error) {
	if c.leaving {
		return
	}
	now := time.Now()
	if p.failed.IsZero() {
		p.failed = now
		c.log.Error("Can't take a partition, will retry", err, watermill.LogFields{"partition": p.index})
	}
	p.refused++
	p.again = now.Add(c.terms.retryPause(p.refused))
	if now.Sub(p.failed) > c.terms.ttl && c.beat.failures == 0 {
		c.leaveOut(p)
	}
}

// leaveOut leaves a partition to others who may reach it.
func (c *coordinator) leaveOut(p *claim) {
	if !p.out {
		p.out = true
		c.news()
	}
}

// reached notes that we can have a partition, or could.
func (c *coordinator) reached(p *claim) {
	if p.out {
		c.news()
	}
	p.failed, p.out = time.Time{}, false
}

// serve starts the session of a partition that was granted.
func (c *coordinator) serve(ctx context.Context, p *claim, s *session) {
	p.session = s
	c.news()
	go func() {
		s.run(ctx)
		c.tell(func() {
			p.session = nil
			c.news()
		})
	}()
}

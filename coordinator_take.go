package redisstream

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// How a coordinator takes partitions and gives them up.

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
		c.giveBack(ctx, p, grant.Epoch)
		return
	}
	s, err := p.begin(ctx, grant.Epoch, until)
	if err != nil {
		c.giveBack(ctx, p, grant.Epoch)
		c.askFailed(p, err)
		p.full = true
		c.leaveOut(p)
		return
	}
	c.reached(p)
	p.refused = 0
	c.serve(ctx, p, s)
}

// giveBack gives back what was granted and can't be served. The end waits for it, or nobody could
// have the partition until its lease is over.
func (c *coordinator) giveBack(ctx context.Context, p *claim, epoch int64) {
	p.asking = true
	go func() {
		p.give(ctx, epoch)
		c.tell(func() { p.asking = false })
	}()
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

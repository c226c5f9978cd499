package redisstream

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// How the claimer looks at what other consumers hold.

// settled is how long Redis has to be well before anything is claimed: long
// enough for the living to renew what an outage made look idle.
func (c *claimer) settled() time.Duration { return c.member.minIdle/3 + time.Second }

// lookAtOthers offers the entries of consumers that have been silent for too
// long.
func (c *claimer) lookAtOthers(ctx context.Context) error {
	if now := time.Now(); now.Before(c.nextLook) || c.offering() {
		return nil
	}
	c.nextLook = time.Now().Add(c.member.minIdle / 6)
	// The commands below only read. A server that takes no writes, as while they are
	// paused for a failover, answers them, and lets nobody renew.
	if err := c.write(ctx); err != nil {
		return err
	}
	if wait := c.settled() - c.health.age(); wait > 0 {
		c.lookBy(time.Now().Add(wait))
		return nil
	}
	consumers, err := ask(ctx, c.member, c.member.group.Consumers)
	if err != nil {
		return err
	}
	c.silent = nil
	alive := 0
	for _, other := range consumers {
		if other.Idle < c.member.minIdle {
			alive++
		}
		if other.Pending == 0 || other.Name == c.member.name() || xstream.IsReserved(other.Name) {
			continue
		}
		if err := c.lookAt(ctx, other); err != nil {
			return err
		}
	}
	return c.scan(ctx, alive)
}

// write sends the server a write that changes nothing.
func (c *claimer) write(ctx context.Context) error {
	_, err := ask(ctx, c.member, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.member.group.Write(ctx)
	})
	return err
}

// lookAt offers a page of a consumer's entries if it is silent, and otherwise
// plans to look again when it would be.
func (c *claimer) lookAt(ctx context.Context, other xstream.Consumer) error {
	minIdle := c.member.minIdle
	if other.Idle < minIdle {
		if other.Idle > minIdle*2/3 {
			c.lookBy(time.Now().Add(minIdle - other.Idle + 5*time.Millisecond))
		}
		delete(c.cursors, other.Name)
		return nil
	}
	q := xstream.PendingQuery{Consumer: other.Name, MinIdle: minIdle, From: c.cursors[other.Name], Count: claimPage}
	pending, err := c.list(ctx, q)
	if err != nil {
		return err
	}
	c.silent = append(c.silent, countsOf(pending)...)
	if len(pending) < claimPage {
		delete(c.cursors, other.Name) // from the start again, next time
	} else {
		c.cursors[other.Name] = pending[len(pending)-1].ID.Next()
		c.lookBy(time.Now())
	}
	claim := xstream.Claim{From: other.Name, MinIdle: minIdle}
	for _, p := range pending {
		if c.wants(p) {
			claim.IDs = append(claim.IDs, p.ID.String())
		}
	}
	c.offer(claim)
	return nil
}

func (c *claimer) lookBy(t time.Time) {
	if t.Before(c.nextLook) {
		c.nextLook = t
	}
}

func (c *claimer) wants(p xstream.Pending) bool {
	return c.should == nil || c.should(c.topic, PendingEntry{ID: p.ID.String(), Consumer: p.Consumer, Idle: p.Idle, Deliveries: p.Deliveries})
}

// scanEvery is how often all members together look at a page of what is pending.
const scanEvery = 2 * time.Second

// scan steps through everything that is pending, for entries that rot with
// consumers that are otherwise alive: those of other libraries don't renew what
// they hold. It goes through once per MinIdle, a page at a time, and slower where a lot
// is pending: the members share that work, each from somewhere else.
func (c *claimer) scan(ctx context.Context, alive int) error {
	if time.Now().Before(c.nextScan) {
		return nil
	}
	pending, err := c.list(ctx, xstream.PendingQuery{From: c.scanFrom, Count: scanPage})
	if err != nil {
		return err
	}
	if len(pending) < scanPage {
		c.scanFrom, c.nextScan = xstream.ID{}, time.Now().Add(c.member.minIdle/2+jitter(c.member.minIdle))
	} else {
		c.scanFrom, c.nextScan = pending[len(pending)-1].ID.Next(), time.Now().Add(time.Duration(max(alive, 1))*jitter(scanEvery))
		if !c.scanned {
			c.scanFrom = between(c.scanFrom, c.highest)
		}
		c.lookBy(c.nextScan)
	}
	c.scanned = true
	claim := xstream.Claim{MinIdle: c.member.minIdle}
	for _, p := range pending {
		others := p.Consumer != c.member.name() && !xstream.IsReserved(p.Consumer)
		if others && p.Idle >= c.member.minIdle && c.wants(p) {
			claim.IDs = append(claim.IDs, p.ID.String())
		}
	}
	c.offer(claim)
	return nil
}

// between is an ID at random.
func between(from, to xstream.ID) xstream.ID {
	if to.Ms <= from.Ms {
		return from
	}
	return xstream.ID{Ms: from.Ms + rand.N(to.Ms-from.Ms)}
}

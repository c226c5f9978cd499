package redisstream

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// What a coordinator says to the other members, and what it hears of them.

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

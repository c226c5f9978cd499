package redisstream

import (
	"slices"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// What the claimer offers, and the reader takes.

// lookAhead is how many entries a claim lists at least: others may be quicker than
// us, and each round trip should bring something.
const lookAhead = 32

// next returns entries of one consumer of which up to room are to be taken, and the
// offer that they come from; or nil. What was delayed is left out where somebody
// else has the turn.
func (c *claimer) next(room int, delayed bool) (*xstream.Claim, xstream.Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.offers) == 0 {
		return nil, xstream.Claim{}
	}
	if c.health.age() < c.settled() { // what was found before an outage says nothing any more
		c.offers = slices.DeleteFunc(c.offers, func(o *xstream.Claim) bool { return !xstream.IsReserved(o.From) })
	}
	if len(c.offers) == 0 {
		wake(c.taken)
		return nil, xstream.Claim{}
	}
	first := slices.IndexFunc(c.offers, func(o *xstream.Claim) bool { return delayed || o.From != xstream.Delayed })
	if first < 0 {
		return nil, xstream.Claim{}
	}
	offer := c.offers[first]
	claim := *offer
	claim.Most = room
	claim.IDs = claim.IDs[:min(max(room, lookAhead), len(claim.IDs))]
	return offer, claim
}

// took notes how many entries of an offer are over.
func (c *claimer) took(offer *xstream.Claim, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if offer.IDs = offer.IDs[n:]; len(offer.IDs) > 0 {
		return
	}
	c.offers = slices.DeleteFunc(c.offers, func(o *xstream.Claim) bool { return o == offer })
	if len(c.offers) == 0 {
		wake(c.taken)
	}
}

func (c *claimer) offer(claim xstream.Claim) {
	if len(claim.IDs) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offers = append(c.offers, &claim)
}

func (c *claimer) offering() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.offers) > 0
}

// beginLook is called before it is asked what is released.
func (c *claimer) beginLook() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	return c.looks
}

// offerLooked offers what a look at what is released has seen. The sweeps look, and so does
// the reader: one that was begun earlier may have been answered later, and says less.
func (c *claimer) offerLooked(look int, pending []xstream.Pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if look > c.latest {
		c.latest = look
		c.replace(xstream.Claim{From: xstream.Released}, pending)
	}
}

// offerAnew makes an offer instead of former ones of the same consumer's entries.
func (c *claimer) offerAnew(claim xstream.Claim, pending []xstream.Pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replace(claim, pending)
}

// replace makes an offer instead of former ones of the same consumer's entries. What was
// released is the first to be taken: it may have been taken before, and given back. The
// lock is held.
func (c *claimer) replace(claim xstream.Claim, pending []xstream.Pending) {
	for _, p := range pending {
		claim.IDs = append(claim.IDs, p.ID.String())
	}
	c.offers = slices.DeleteFunc(c.offers, func(o *xstream.Claim) bool { return o.From == claim.From })
	switch {
	case len(claim.IDs) == 0:
	case claim.From == xstream.Released:
		c.offers = slices.Insert(c.offers, 0, &claim)
	default:
		c.offers = append(c.offers, &claim)
	}
}

// countsOf are pending entries with their delivery counts.
func countsOf(pending []xstream.Pending) []xstream.Count {
	counts := make([]xstream.Count, len(pending))
	for i, p := range pending {
		counts[i] = xstream.Count{ID: p.ID.String(), Deliveries: p.Deliveries}
	}
	return counts
}

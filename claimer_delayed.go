package redisstream

import (
	"context"
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// How the claimer looks at what was given back for later.

// delays is what a claimer knows of such entries. It is run's own.
type delays struct {
	nextQuery time.Time // when all of them may be looked at again

	// A group that is gone takes them with it, so they are remembered, as far as
	// they are more than a page by one page in each sweep.
	known, found []xstream.Count // in the last walk through them, and in this one
	from         xstream.ID
}

const (
	// dueQueryCost is how long nobody looks through all delayed entries again, for
	// each of them: two hundred times what it costs the server.
	dueQueryCost = 20 * time.Microsecond
	// maxKnownDelayed bounds what is remembered of them.
	maxKnownDelayed = 1 << 16
)

// postponed notes when an entry is due that was given back for later.
func (c *claimer) postponed(due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.due.IsZero() || due.Before(c.due) {
		c.due = due
		wake(c.sooner)
	}
}

// nextDue returns when the next entry is due that was given back for later, or the
// zero time.
func (c *claimer) nextDue() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.due
}

// offerDue offers what was given back for later, as far as its time has come, and
// returns what it saw of it.
func (c *claimer) offerDue(ctx context.Context, total int64) ([]xstream.Count, error) {
	due := xstream.Due(claimPage)
	page, err := c.list(ctx, xstream.PendingQuery{Consumer: due.Consumer, Count: claimPage})
	if err != nil {
		return nil, err
	}
	ripe := slices.DeleteFunc(slices.Clone(page), func(p xstream.Pending) bool {
		wait := due.MinIdle - p.Idle
		if wait > 0 {
			c.postponed(time.Now().Add(wait))
		}
		return wait > 0
	})
	if len(page) < claimPage {
		c.delays = delays{}
	} else if err := c.walkDelayed(ctx); err != nil {
		return nil, err
	}
	// A page is in the order of IDs, and those behind it may be due earlier.
	if now := time.Now(); len(page) >= claimPage && len(ripe) == 0 && now.After(c.delays.nextQuery) {
		c.delays.nextQuery = now.Add(time.Duration(total) * dueQueryCost)
		if ripe, err = c.list(ctx, due); err != nil {
			return nil, err
		}
	}
	c.offerAnew(xstream.Claim{From: due.Consumer, MinIdle: due.MinIdle}, ripe)
	return countsOf(page), nil
}

// walkDelayed goes on through all that is delayed.
func (c *claimer) walkDelayed(ctx context.Context) error {
	d := &c.delays
	page, err := c.list(ctx, xstream.PendingQuery{Consumer: xstream.Delayed, From: d.from, Count: scanPage})
	if err != nil {
		return err
	}
	d.found = append(d.found, countsOf(page)...)
	if len(page) < scanPage || len(d.found) >= maxKnownDelayed {
		d.known, d.found, d.from = d.found, nil, xstream.ID{}
	} else {
		d.from = page[len(page)-1].ID.Next()
	}
	return nil
}

// walked is what is known from walks.
func (d *delays) walked() []xstream.Count { return slices.Concat(d.known, d.found) }

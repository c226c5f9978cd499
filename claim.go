package redisstream

import (
	"context"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// claim is a partition as a member sees it, whether it has it or not.
type claim struct {
	index   int
	acquire func(ctx context.Context) (xstream.Grant, error)
	hasRoom func() bool                            // reports whether there is a connection for it
	give    func(ctx context.Context, epoch int64) // back what was granted too late
	begin   func(ctx context.Context, epoch int64, until time.Time) (*session, error)

	session *session  // nil: not ours
	asking  bool      // an acquire is on its way
	again   time.Time // when to ask again
	refused int       // times in a row
	failed  time.Time // when the first of the failures in a row was; zero = none
	out     bool      // it is left to others: its node can't be reached, or we have no room
	full    bool      // there was no connection for it
	lost    time.Time // when the session was first seen to be over
}

// isHeldUp reports whether handlers of a partition that we have lost go on for long. We
// can't take it again before they have ended, so others may.
func (c *claim) isHeldUp() bool {
	if c.session == nil || !c.session.isOver() {
		c.lost = time.Time{}
		return false
	}
	if c.lost.IsZero() {
		c.lost = time.Now()
	}
	return time.Since(c.lost) > settleTime
}

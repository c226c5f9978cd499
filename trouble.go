package redisstream

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// troubleReminder is how often a failure that goes on is logged again.
const troubleReminder = 30 * time.Second

// trouble is the failures in a row of one loop: how long to wait, and when to
// speak of it. An outage is logged when it starts, now and then while it lasts,
// and when it is over; not with every attempt. It belongs to one goroutine.
type trouble struct {
	log      logger
	doing    string
	failures int
	logged   time.Time
	text     string
}

// wait logs the failure and pauses, unless the context ends first. What an
// operator has to mend is retried at the slowest pace.
func (t *trouble) wait(ctx context.Context, err error) bool {
	t.failures++
	if ctx.Err() == nil {
		t.report(err)
	}
	d := retryPause(t.failures)
	if xstream.Classify(err) == xstream.Refused {
		d = jitter(retryMax)
	}
	return pause(ctx, d)
}

func (t *trouble) report(err error) {
	text := err.Error()
	if text == t.text && time.Since(t.logged) < troubleReminder {
		return
	}
	if t.failures > 1 && xstream.Classify(err) == xstream.Transient && time.Since(t.logged) < troubleReminder {
		return // an outage has many voices
	}
	t.text, t.logged = text, time.Now()
	t.log.Error("Redis failed, will retry until it works", err, watermill.LogFields{"doing": t.doing, "failures": t.failures})
}

// over notes a success.
func (t *trouble) over() {
	if t.failures == 0 {
		return
	}
	if !t.logged.IsZero() {
		t.log.Info("Redis works again", watermill.LogFields{"doing": t.doing, "failures": t.failures})
	}
	t.failures, t.text, t.logged = 0, "", time.Time{}
}

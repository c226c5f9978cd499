package task

import (
	"context"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

const (
	watchEvery = 10 * time.Millisecond
	// stalledFrom is the least that is written down.
	stalledFrom = 40 * time.Millisecond
)

// Watch writes down whenever the machine had no time for this process, until ctx ends. Such a
// process was paused, as far as others can tell, and may do what a paused one may.
func Watch(ctx context.Context, process string, log *history.Log) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := history.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := history.Now()
		if gap := time.Duration(now - last); gap > stalledFrom {
			log.Add(history.Event{Kind: Stalled, Process: process, Text: gap.String()})
		}
		last = now
	}
}

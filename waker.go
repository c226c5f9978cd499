package redisstream

import (
	"context"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// waker waits for news of a partitioned topic's members. It only saves time: who misses
// news learns of them with the next beat.
type waker struct {
	blocking
	period time.Duration
	news   func(version string) // told of each
	log    logger
}

// run waits until ctx ends.
func (w *waker) run(ctx context.Context) {
	defer close(w.done)
	defer w.disconnect()
	t := trouble{log: w.log, doing: "wait for news of the group's members"}
	var last xstream.ID
	for ctx.Err() == nil {
		next, err := w.wait(ctx, last)
		if err != nil {
			w.disconnect()
			if !t.wait(ctx, err) {
				return
			}
			continue
		}
		t.over()
		if last != next {
			last = next
			w.news(last.String())
		}
	}
}

// wait returns the version that follows one, or the same if none does in time.
func (w *waker) wait(ctx context.Context, last xstream.ID) (xstream.ID, error) {
	conn, err := w.connect(ctx)
	if err != nil || ctx.Err() != nil {
		return last, err
	}
	block := w.period
	if !conn.CanUnblock() {
		block = min(block, shortBlockTime)
	}
	w.reading.Store(true)
	defer w.reading.Store(false)
	entries, err := conn.Read(context.WithoutCancel(ctx), last, 1, max(block, minBlockTime), 0)
	defer clear(entries)
	if err != nil || len(entries) == 0 {
		return last, err
	}
	return entries[0].ID, nil
}

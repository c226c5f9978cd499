package redisstream

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// janitor removes consumers of the group that are gone: silent for long, with
// nothing pending. The server checks the latter in the same step, because it
// forgets a consumer's pending entries with the consumer.
type janitor struct {
	member  *member
	timeout time.Duration // how long a consumer has to be silent
	log     logger
}

// tidyMost bounds the time between two looks.
const tidyMost = 5 * time.Minute

// run tidies up until ctx ends, a few times in each timeout.
func (j *janitor) run(ctx context.Context) {
	t := trouble{log: j.log, doing: "remove consumers that are gone"}
	for pause(ctx, jitter(min(j.timeout, tidyMost))) {
		if err := j.tidy(ctx); err != nil {
			t.failures++
			t.report(err)
		} else {
			t.over()
		}
	}
}

// tidy removes the consumers that are gone now.
func (j *janitor) tidy(ctx context.Context) error {
	consumers, err := ask(ctx, j.member, j.member.group.Consumers)
	if err != nil {
		return err
	}
	for _, c := range consumers {
		// The reserved ones must not be around without need: members that run another
		// library could remove one while something is released to it.
		gone := c.Idle >= j.timeout && c.Name != j.member.name() || xstream.IsReserved(c.Name)
		if c.Pending > 0 || !gone {
			continue
		}
		if err := j.discard(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (j *janitor) discard(ctx context.Context, c xstream.Consumer) error {
	removed, err := ask(ctx, j.member, func(ctx context.Context) (bool, error) {
		return j.member.group.Discard(ctx, c.Name)
	})
	if removed {
		j.log.Debug("Removed a consumer that is gone", watermill.LogFields{"removed": c.Name, "idle": c.Idle.String()})
	}
	return err
}

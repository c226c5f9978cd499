package xstream

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// Restoration says how to bring back a group that is gone.
type Restoration struct {
	Consumer string
	Start    string  // the group starts after this ID
	Mark     string  // the key of the group's mark
	Token    string  // the mark, if it is us who create the group
	Entries  []Count // what the consumer holds, with its deliveries
	Unheld   []Count // what nobody alive held, with its deliveries
	// Stale: Unheld may be old. If somebody else has created the group meanwhile,
	// it has been dealt with, and would come again.
	Stale bool
}

// Restored is what came of a Restoration.
type Restored struct {
	Mark   string   // of whoever created the group
	Mine   []string // the entries that are the consumer's in the new group
	Theirs []string // those that another consumer has there; the rest no longer exist
}

// Restore creates the group, unless somebody else has, and registers the
// consumer's entries there, as far as they exist and nobody else has them. What
// nobody held is released there, under the same condition.
func (g Group) Restore(ctx context.Context, r Restoration) (Restored, error) {
	var mine, unheld Restored
	head := func(consumer string, idle time.Duration) []string {
		return []string{g.Name, consumer, r.Start, r.Token, millis(idle)}
	}
	if err := g.register(ctx, &mine, r.Mark, head(r.Consumer, 0), r.Entries); err != nil {
		return mine, err
	}
	if len(r.Unheld) == 0 || r.Stale && mine.Mark != r.Token {
		return mine, nil
	}
	return mine, g.register(ctx, &unheld, r.Mark, head(Released, releasedIdle), r.Unheld)
}

// register restores the group with entries of a consumer, a page at a time, and at least once.
func (g Group) register(ctx context.Context, out *Restored, mark string, head []string, entries []Count) error {
	for first := true; first || len(entries) > 0; first = false {
		page := entries[:min(len(entries), scriptPage)]
		entries = entries[len(page):]
		reply, err := g.exec(ctx, restore, []string{mark}, countArgs(page, head...)).ToArray()
		if err != nil {
			return err
		}
		if len(reply) != 3 {
			return errShort
		}
		if out.Mark, err = reply[0].ToString(); err != nil {
			return err
		}
		mine, err := reply[1].AsStrSlice()
		if err != nil {
			return err
		}
		theirs, err := reply[2].AsStrSlice()
		if err != nil {
			return err
		}
		out.Mine, out.Theirs = append(out.Mine, mine...), append(out.Theirs, theirs...)
	}
	return nil
}

// Mark returns the mark that the last one to restore the group has left, or "".
func (g Group) Mark(ctx context.Context, key string) (string, error) {
	mark, err := Stream{Client: g.Client, Key: key}.read(ctx, "GET", "").ToString()
	if rueidis.IsRedisNil(err) {
		return "", nil
	}
	return mark, err
}

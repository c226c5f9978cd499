package xstream

import (
	"context"

	"github.com/redis/rueidis"
)

// Restoration says how to bring back a group that is gone.
type Restoration struct {
	Consumer string
	Start    string  // the group starts after this ID
	Mark     string  // the key of the group's mark
	Token    string  // the mark, if it is us who create the group
	Entries  []Count // what the consumer holds, with its deliveries
}

// Restored is what came of a Restoration.
type Restored struct {
	Mark   string   // of whoever created the group
	Mine   []string // the entries that are the consumer's in the new group
	Theirs []string // those that another consumer has there; the rest no longer exist
}

// Restore creates the group, unless somebody else has, and registers the
// consumer's entries there, as far as they exist and nobody else has them.
func (g Group) Restore(ctx context.Context, r Restoration) (Restored, error) {
	var out Restored
	rest := r.Entries
	for {
		page := rest[:min(len(rest), scriptPage)]
		rest = rest[len(page):]
		args := countArgs(page, g.Name, r.Consumer, r.Start, r.Token)
		reply, err := g.exec(ctx, restore, []string{r.Mark}, args).ToArray()
		if err != nil {
			return out, err
		}
		if len(reply) != 3 {
			return out, errShort
		}
		if out.Mark, err = reply[0].ToString(); err != nil {
			return out, err
		}
		mine, err := reply[1].AsStrSlice()
		if err != nil {
			return out, err
		}
		theirs, err := reply[2].AsStrSlice()
		if err != nil {
			return out, err
		}
		out.Mine, out.Theirs = append(out.Mine, mine...), append(out.Theirs, theirs...)
		if len(rest) == 0 {
			return out, nil
		}
	}
}

// Mark returns the mark that the last one to restore the group has left, or "".
func (g Group) Mark(ctx context.Context, key string) (string, error) {
	b := g.Client.B().Arbitrary("GET").Keys(key)
	mark, err := g.Client.Do(ctx, b.Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return "", nil
	}
	return mark, err
}

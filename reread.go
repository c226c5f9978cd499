package redisstream

import (
	"context"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// find reads an entry that a handler has had. It reports false if the entry is gone.
func (m *member) find(ctx context.Context, id xstream.ID) (xstream.Entry, bool, error) {
	type found struct {
		entry xstream.Entry
		ok    bool
	}
	f, err := askPatiently(ctx, m, maxSlack, func(ctx context.Context) (found, error) {
		entry, ok, err := m.group.Find(ctx, id)
		return found{entry, ok}, err
	})
	return f.entry, f.ok, err
}

// readAgain gets the fields of an entry that a handler has had. It goes on until Redis
// has answered or handOut ends. Whether the entry is still ours has to be asked
// afterwards: meanwhile others may have taken it.
func (d *dispatcher) readAgain(handOut context.Context, e *entry) bool {
	t := trouble{log: d.log, doing: "read an entry again"}
	for {
		same, ok, err := d.holder.find(handOut, e.ID)
		if err != nil {
			if t.wait(handOut, err) {
				continue
			}
			return false
		}
		t.over()
		if ok && e.IsOther(&same) {
			d.ledger.lose(e)
			return false
		}
		if ok {
			e.Refill(same)
		} else {
			d.holder.stillOurs(handOut, e) // it notes that the entry is gone
		}
		return ok
	}
}

package redisstream

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
)

// acker tells Redis what was acked. While one XACK is on its way, the next acks
// gather: many IDs go into one command without a timer and without waiting for
// more.
//
// An ack is not tied to its owner: an entry whose loss nobody noticed in time
// was processed all the same, and is settled for the group.
type acker struct {
	ledger *ledger
	// send tells Redis of some, and returns how many of them it had not known of.
	send   func(ctx context.Context, ids []string) (int64, error)
	log    logger
	added  chan struct{} // one token: there may be acks
	finish chan struct{} // closed when no more will come

	mu    sync.Mutex // protects the following fields
	queue []*entry
}

func newAcker(l *ledger, send func(context.Context, []string) (int64, error), log logger) *acker {
	return &acker{ledger: l, send: send, log: log, added: make(chan struct{}, 1), finish: make(chan struct{})}
}

// ack settles entries for the group.
func (m *member) ack(ctx context.Context, ids []string) (int64, error) {
	return ask(ctx, m, func(ctx context.Context) (int64, error) { return m.group.Ack(ctx, ids) })
}

func (a *acker) add(e *entry) {
	a.mu.Lock()
	a.queue = append(a.queue, e)
	a.mu.Unlock()
	wake(a.added)
}

// run sends acks until finish is closed and all are confirmed, or ctx ends.
func (a *acker) run(ctx context.Context) {
	t := trouble{log: a.log, doing: "ack"}
	finish := a.finish
	for {
		n, err := a.flush(ctx)
		switch {
		case err != nil:
			if !t.wait(ctx, err) {
				return
			}
			continue
		case n > 0:
			t.over()
			continue
		case finish == nil:
			return
		}
		select {
		case <-a.added:
		case <-finish:
			finish = nil // look once more, then end
		case <-ctx.Done():
			return
		}
	}
}

// flush sends what has gathered, in one command. What Redis did not confirm
// stays.
func (a *acker) flush(ctx context.Context) (int, error) {
	a.mu.Lock()
	batch := a.queue
	a.queue = nil
	a.mu.Unlock()
	batch = a.ledger.withoutReplaced(batch)
	if len(batch) == 0 {
		return 0, nil
	}
	ids := make([]string, len(batch))
	for i, e := range batch {
		ids[i] = e.IDText()
	}
	settled, err := a.send(ctx, ids)
	if err != nil {
		a.mu.Lock()
		a.queue = append(batch, a.queue...)
		a.mu.Unlock()
		return 0, err
	}
	a.ledger.forget(batch)
	if !a.log.silent {
		a.log.Debug("Acked", watermill.LogFields{"entries": len(batch), "settled_before": int64(len(batch)) - settled})
	}
	return len(batch), nil
}

// unconfirmed lists acks that Redis did not confirm.
func (a *acker) unconfirmed() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := make([]string, len(a.queue))
	for i, e := range a.queue {
		ids[i] = e.IDText()
	}
	return ids
}

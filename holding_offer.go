package redisstream

import (
	"context"
	"errors"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// A holding as the holder of entries, and the one that buries them.

var (
	_ holder  = (*holding)(nil)
	_ permit  = (*holding)(nil)
	_ burier  = (*holding)(nil)
	_ backing = (*holding)(nil)
)

// errKept says that an entry stays held: what comes behind it must not be acked before it.
var errKept = errors.New("entries of a partition are not given back one by one")

func (h *holding) isReady() bool { return h.tenure.holds() }

func (h *holding) doubted() <-chan struct{} { return h.tenure.next() }

func (h *holding) becomeReady(ctx context.Context) bool { return h.tenure.await(ctx) }

// isDue implements holder: entries are ours for as long as the partition is.
func (h *holding) isDue(e *entry) bool { return !h.ledger.isCounted(e) }

func (h *holding) doubtAt(*entry) time.Time { return time.Now().Add(h.tenure.left()) }

// verify counts the hand-out to come, so that the count survives us, and with it some of
// those behind it: more each time, so that a message which kills its process again and
// again has the others counted but once.
func (h *holding) verify(ctx context.Context, e *entry) bool {
	t := trouble{log: h.log, doing: "count a delivery"}
	for h.tenure.await(ctx) {
		if h.ledger.isCounted(e) {
			return true
		}
		err := h.unlessLost(h.countWith(ctx, e))
		if err == nil {
			t.over()
			return h.ledger.isCounted(e)
		}
		if !t.wait(ctx, err) {
			return false
		}
	}
	return false
}

// countWith counts the hand-outs to come of an entry and of some that wait.
func (h *holding) countWith(ctx context.Context, e *entry) error {
	ahead := h.ledger.countAhead(int(h.ahead.Load()), h.spared())
	defer h.ledger.freed(ahead)
	entries := append([]*entry{e}, ahead...)
	next := h.ledger.nextCounts(entries)
	counts, err := askUnder(ctx, h, 0, func(ctx context.Context) ([]int64, error) { return h.lease.Recount(ctx, next) })
	if err != nil {
		return err
	}
	h.ahead.Store(min(2*h.ahead.Load()+1, maxCountedAhead))
	for i, e := range entries {
		h.judge(e, counts[i])
	}
	return nil
}

// spared is the count that no message may have which was not handed out: one more, and it would be
// given up, or be the one that has its last chance.
func (h *holding) spared() int64 {
	if h.most == 0 {
		return xstream.MaxDeliveries
	}
	return h.most - 1
}

// maxCountedAhead is one less than what a script does at once.
const maxCountedAhead = 127

// judge takes note of the server's count of an entry.
func (h *holding) judge(e *entry, count int64) {
	if count >= 0 {
		h.ledger.verified(e, count)
		return
	}
	if count == xstream.Gone {
		h.gone(e.IDText())
	} // else somebody has acked it in our place
	h.ledger.lose(e)
}

// stillOurs implements holder. What a handler has had and that is not there any more may have
// been trimmed.
func (h *holding) stillOurs(ctx context.Context, e *entry) bool {
	if !h.tenure.await(ctx) {
		return false
	}
	if !e.isLent() {
		return true
	}
	same := []xstream.Count{{ID: e.IDText(), Deliveries: xstream.Unchanged}}
	counts, err := askUnder(ctx, h, 0, func(ctx context.Context) ([]int64, error) { return h.lease.Recount(ctx, same) })
	if err != nil || counts[0] >= 0 {
		return !h.tenure.isOver()
	}
	h.judge(e, counts[0])
	return false
}

// handedOut implements permit. A pause of the process may have come between the last look
// at the right and the hand-out.
func (h *holding) handedOut(sent *delivery) {
	if !h.tenure.inTime() {
		sent.ctx.end(ErrPartitionLost)
	}
}

func (h *holding) find(ctx context.Context, id xstream.ID) (xstream.Entry, bool, error) {
	type found struct {
		entry xstream.Entry
		ok    bool
	}
	f, err := askUnder(ctx, h, maxSlack, func(ctx context.Context) (found, error) {
		entry, ok, err := h.lease.Find(ctx, id)
		return found{entry, ok}, err
	})
	return f.entry, f.ok, err
}

func (h *holding) release(context.Context, []*entry) error { return errKept }

// delay implements holder: with partitions, messages wait in their places.
func (h *holding) delay(context.Context, context.Context, *entry, time.Duration) bool { return false }

func (h *holding) name() string { return h.lease.Consumer }

func (h *holding) bury(ctx context.Context, l letter) (bool, error) {
	if !h.tenure.undoubted(ctx) {
		return false, h.unlessLost(ctx.Err())
	}
	moved, err := askUnder(ctx, h, 0, func(ctx context.Context) (bool, error) {
		return h.lease.Bury(ctx, xstream.Burial{Dead: h.dead, MaxLen: h.maxDead, Consumer: h.lease.Consumer, ID: l.id, Fields: l.fields})
	})
	return moved, h.unlessLost(err)
}

// ack settles entries. A holding that is lost says nothing: others have the partition.
func (h *holding) ack(ctx context.Context, ids []string) (int64, error) {
	if !h.tenure.undoubted(ctx) {
		return 0, ctx.Err()
	}
	low, err := xstream.ParseID(ids[0])
	if err != nil {
		return 0, err
	}
	h.taking.Lock()
	defer h.taking.Unlock()
	if !h.strict || h.ledger.hasDoomed() || h.adopted {
		low = h.ledger.lowest()
	}
	n, err := askUnder(ctx, h, 0, func(ctx context.Context) (int64, error) { return h.lease.Ack(ctx, low, ids) })
	return n, h.unlessLost(err)
}

// unlessLost is the error of a command that should be tried again.
func (h *holding) unlessLost(err error) error {
	if h.tenure.isOver() {
		return nil
	}
	return err
}

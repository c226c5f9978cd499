package redisstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// holding is a partition that is ours for now: the lease that says so, and what is asked
// of the server under it. Whatever changes the partition there is fenced by the lease's
// epoch, so that it has no effect once somebody else was granted the partition.
type holding struct {
	index   int
	lease   xstream.Tenure
	tenure  *tenure
	terms   terms
	ledger  *ledger
	source  *holdingSource
	dead    string // stream of dead letters
	maxDead int64  // about how many of them to keep; 0 = all
	log     logger

	taking  sync.Mutex // held while acks are sent, and while entries become ours that may lie below them
	adopted bool       // that was so; protected by taking

	ahead    atomic.Int32            // how many hand-outs to count together with the next one
	doubts   chan struct{}           // one token: the lease should be renewed now
	stop     context.CancelCauseFunc // ends the hand-out
	maxLease time.Duration           // how long a handler may have a message; 0 = no limit
	strict   bool                    // one message at a time
	most     int64                   // hand-outs of a message; 0 = no limit
	settlers settlers                // told what became of entries
	nudge    func(context.Context)   // ends a read that blocks
}

// askUnder runs a command under the lease, and draws the conclusions from its answer.
func askUnder[T any](ctx context.Context, h *holding, slack time.Duration, command func(ctx context.Context) (T, error)) (T, error) {
	reply, err := within(ctx, h.terms.timeout()+slack, command)
	if err == nil || ctx.Err() != nil {
		return reply, err
	}
	h.failed(ctx, err)
	return reply, err
}

// failed draws the conclusions from an error.
func (h *holding) failed(ctx context.Context, err error) {
	switch {
	case errors.Is(err, xstream.ErrFenced):
		h.lose("another member has it")
	case errors.Is(err, xstream.ErrWentBack):
		h.lose("the server has forgotten acks, starting again where it stands")
	case xstream.Classify(err) == xstream.NoGroup:
		h.restoreGroup(ctx)
	case xstream.Classify(err) == xstream.Transient:
		h.doubt()
	}
}

// doubt stops hand-outs and acks until the lease is confirmed, which is tried at once.
func (h *holding) doubt() {
	h.tenure.suspend()
	wake(h.doubts)
}

// lose ends the holding without any further word to the server about its entries.
func (h *holding) lose(why string) {
	if !h.tenure.finish() {
		return
	}
	h.log.Info("Lost a partition", watermill.LogFields{"reason": why})
	for _, d := range h.ledger.loseAll() {
		d.ctx.end(ErrPartitionLost)
	}
	h.stop(ErrPartitionLost)
}

// restoreGroup creates a group that is gone where nothing unsettled is skipped, and
// starts again there.
func (h *holding) restoreGroup(ctx context.Context) {
	start := h.source.position()
	if h.tenure.isOver() {
		return // then nothing is known of what is not settled
	}
	_, err := within(ctx, h.terms.timeout(), func(ctx context.Context) (struct{}, error) {
		last, _, err := h.lease.LastID(ctx)
		if err != nil {
			return struct{}{}, err
		}
		if last.Less(start) {
			start = xstream.ID{} // another stream took the name: all of it is new
		}
		return struct{}{}, h.lease.Create(ctx, start.String())
	})
	if err != nil {
		h.doubt()
		return
	}
	h.log.Info("Consumer group was gone and has been created again", watermill.LogFields{"start": start.String()})
	h.lose("its group was gone")
}

// keepLease renews the lease until ctx ends or the lease is lost.
func (h *holding) keepLease(ctx context.Context) {
	t := trouble{log: h.log, doing: "renew the lease of a partition"}
	wait := h.terms.tick()
	for {
		timer := time.NewTimer(min(wait, max(h.tenure.left(), 0)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-h.doubts:
			timer.Stop()
		case <-timer.C:
		}
		if h.tenure.isOver() {
			return
		}
		if !h.tenure.inTime() {
			h.lose("Redis has not confirmed it in time")
			return
		}
		err := h.renew(ctx)
		if h.tenure.isOver() {
			return
		}
		if err != nil {
			t.failures++
			t.report(err)
			wait = h.terms.retryPause(t.failures)
			continue
		}
		t.over()
		wait = h.terms.tick()
	}
}

// renew confirms the lease. It waits for no longer than the right lasts: its end must not
// go unnoticed.
func (h *holding) renew(ctx context.Context) error {
	sent := time.Now()
	foreign, err := within(ctx, min(h.terms.timeout(), h.tenure.left()), func(ctx context.Context) (bool, error) { return h.lease.Renew(ctx, h.terms.ttl) })
	if errors.Is(err, xstream.ErrFenced) {
		h.lose("another member has it")
	}
	if err != nil {
		return err
	}
	h.tenure.extend(h.terms.until(sent), sent)
	if foreign && !h.source.foreign.Swap(true) {
		h.nudge(ctx)
	}
	return nil
}

// watch ends the contexts of messages that their handlers have had for too long. They
// stay where they are: what is behind them would overtake them.
func (h *holding) watch(ctx context.Context) {
	for pause(ctx, min(h.maxLease/4, beatMost)) {
		for _, e := range h.ledger.overdue(time.Now().Add(-h.maxLease)) {
			if d, uuid := h.ledger.deliveryOf(e); d != nil && d.ctx.end(ErrLeaseExpired) {
				h.log.Error("A handler has had a message for too long, and holds up its partition", nil, watermill.LogFields{
					"entry_id": e.IDText(), "message_uuid": uuid, "max_lease": h.maxLease.String(),
				})
			}
		}
	}
}

package redisstream

import (
	"context"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

const (
	// maxHoard is how long entries may wait in the buffer before others may have
	// them: the buffer was sized to last a tenth of it.
	maxHoard = time.Second
	// beatMost bounds the time between two looks at the buffer.
	beatMost = 500 * time.Millisecond
)

// heartbeat keeps what a live consumer works on: it renews what is in flight for
// as long as that takes, so that MinIdle measures the life of a process and not
// the patience of its handlers. What only waits behind a slow handler is given
// back, unless nobody else is there to take it.
type heartbeat struct {
	member *member
	ledger *ledger
	log    logger
	// maxLease is how long a handler may have a message; 0 = no limit.
	maxLease time.Duration
	passOn   func(*delivery) // lets another message have its last chance
	released func()          // told when what waited was given back

	// run's own.
	alone      bool
	aloneUntil time.Time // when to ask again
	shown      time.Time // when we last gave a sign of life
}

// aliveFor is how long after its last sign of life a consumer counts as alive.
func (h *heartbeat) aliveFor() time.Duration { return max(h.member.minIdle, 2*blockTime) }

// run beats until ctx ends. It goes on while a subscription drains.
func (h *heartbeat) run(ctx context.Context) {
	t := trouble{log: h.log, doing: "renew entries"}
	period := min(h.member.minIdle/6, beatMost)
	timer := time.NewTimer(untilTick(period))
	defer timer.Stop()
	var fed <-chan struct{} // only while there is nothing to look after
	for {
		select {
		case <-ctx.Done():
			return
		case <-fed:
			fed = nil
			timer.Reset(untilTick(period))
			continue
		case <-timer.C:
		}
		if fed = nil; h.ledger.size() == 0 {
			fed = h.ledger.fed
			timer.Reset(untilTick(h.aliveFor() / 6)) // for the next sign of life
		} else {
			timer.Reset(untilTick(period))
		}
		if err := h.beat(ctx); err != nil {
			h.member.health.note(time.Now(), err) // others can't renew either
			t.failures++
			t.report(err)
		} else {
			t.over()
		}
	}
}

func (h *heartbeat) beat(ctx context.Context) error {
	if err := h.show(ctx); err != nil {
		return err
	}
	if err := h.renew(ctx, h.ledger.toRenew(time.Now().Add(-h.member.minIdle/3)), unchanged); err != nil {
		return err
	}
	if h.maxLease > 0 {
		if err := h.expire(ctx); err != nil {
			return err
		}
	}
	return h.unhoard(ctx)
}

// show gives a sign of life, so that others see that they are not alone. A read that brought
// something is one.
func (h *heartbeat) show(ctx context.Context) error {
	if read := h.member.lastRead(); read.After(h.shown) {
		h.shown = read
	}
	if time.Since(h.shown) < h.aliveFor()/3 {
		return nil
	}
	_, err := ask(ctx, h.member, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, h.member.group.Show(ctx, h.member.name())
	})
	if err == nil {
		h.shown = time.Now()
	}
	return err
}

// expire takes messages away from handlers that have had them for too long. The
// end of a message's context comes first, so that its handler can still settle
// it. Afterwards it keeps its slot, so that no more handlers run than may.
func (h *heartbeat) expire(ctx context.Context) error {
	deadline := time.Now().Add(-h.maxLease)
	for _, e := range h.ledger.overdue(deadline) {
		if d, uuid := h.ledger.deliveryOf(e); d != nil && d.ctx.end(ErrLeaseExpired) {
			h.log.Error("A handler has had a message for too long; the message goes back to the group", nil, watermill.LogFields{
				"entry_id": e.IDText(), "message_uuid": uuid, "max_lease": h.maxLease.String(),
			})
		}
	}
	late := h.ledger.overdue(deadline.Add(-handlerGrace))
	if err := h.member.release(ctx, late); err != nil {
		return err
	}
	for _, e := range late {
		if d := h.ledger.expire(e); d != nil { // it may have been handed out again meanwhile
			d.ctx.end(ErrLeaseExpired)
			h.passOn(d)
		}
	}
	if len(late) > 0 {
		h.member.recall()
	}
	return nil
}

// renew tells Redis that we still have the entries, and learns which we have
// not. Only an answer loses an entry, never a time-out.
func (h *heartbeat) renew(ctx context.Context, entries []*entry, counts func([]*entry) []xstream.Count) error {
	const batch = 128 // half a millisecond of the server's time
	for len(entries) > 0 {
		n := min(batch, len(entries))
		if err := h.renewBatch(ctx, entries[:n], counts(entries[:n])); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// unchanged lets the entries keep their delivery counts.
func unchanged(entries []*entry) []xstream.Count {
	counts := make([]xstream.Count, len(entries))
	for i, e := range entries {
		counts[i] = xstream.Count{ID: e.IDText(), Deliveries: xstream.Unchanged}
	}
	return counts
}

func (h *heartbeat) renewBatch(ctx context.Context, entries []*entry, counts []xstream.Count) error {
	epoch, sent := h.member.currentEpoch(), time.Now()
	replies, err := ask(ctx, h.member, func(ctx context.Context) ([]int64, error) {
		return h.member.group.Touch(ctx, h.member.name(), counts)
	})
	if err != nil {
		return err
	}
	if slices.Contains(replies, xstream.NotMine) {
		if again, err := h.member.groupReplaced(ctx, epoch); again || err != nil {
			return err // the next beat asks again
		}
	}
	for i, e := range entries {
		h.member.judge(e, sent, replies[i])
	}
	return nil
}

// patience is how long entries may wait. A short MinIdle would be over before they
// are released: others would take them, with a count of what nobody has seen.
func (h *heartbeat) patience() time.Duration { return min(maxHoard, h.member.minIdle/2) }

// unhoard deals with entries that have waited for too long.
func (h *heartbeat) unhoard(ctx context.Context) error {
	since := time.Now().Add(-h.patience())
	if err := h.keep(ctx, h.ledger.blocked(since)); err != nil {
		return err
	}
	waiting := h.ledger.waiting(since)
	if len(waiting) == 0 {
		return nil
	}
	alone, err := h.isAlone(ctx)
	if err != nil {
		return err
	}
	if alone {
		return h.keep(ctx, waiting)
	}
	h.log.Debug("Released entries that a slow handler kept waiting", watermill.LogFields{"entries": len(waiting)})
	entries, full := h.ledger.unhoard(since)
	err = h.member.releaseWaiting(ctx, entries)
	if full { // else it is of no use here, and others shall find it first
		h.released()
	}
	return err
}

// keep renews entries for as long as they wait, and takes their hand-outs back.
func (h *heartbeat) keep(ctx context.Context, entries []*entry) error {
	counted := h.ledger.keep(entries)
	defer h.ledger.ready(counted)
	return h.renew(ctx, counted, h.ledger.handedOut)
}

// isAlone reports whether no other consumer of the group is alive. The answer
// is used for a while.
func (h *heartbeat) isAlone(ctx context.Context) (bool, error) {
	if time.Now().Before(h.aloneUntil) {
		return h.alone, nil
	}
	consumers, err := ask(ctx, h.member, h.member.group.Consumers)
	if err != nil {
		return false, err
	}
	h.alone, h.aloneUntil = true, time.Now().Add(maxHoard)
	for _, c := range consumers {
		if c.Name != h.member.name() && !xstream.IsReserved(c.Name) && c.Idle < h.aliveFor() {
			h.alone = false
		}
	}
	return h.alone, nil
}

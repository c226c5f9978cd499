package redisstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// What becomes of an entry that was handed out, or is not to be.

// attend waits until the caller has settled the message for good. Who gives up waiting nacks
// what is in flight: a third case here would cost each message as much as a goroutine switch.
func (d *dispatcher) attend(handOut, work context.Context, e *entry, sent *delivery) {
	for sent != nil && !d.hasGivenUp() {
		select {
		case <-sent.msg.Acked():
			d.passOn(sent)
			d.acked(e, sent)
			return
		case <-sent.msg.Nacked():
			if d.hasGivenUp() {
				break
			}
			d.passOn(sent)
			sent = d.nacked(handOut, work, e, sent)
		}
	}
	if sent != nil {
		d.passOn(sent)
		d.abandon(e, sent)
	}
}

func (d *dispatcher) hasGivenUp() bool {
	select {
	case <-d.giveUp:
		return true
	default:
		return false
	}
}

// passOn lets another message have its last chance, if this one had it.
func (d *dispatcher) passOn(sent *delivery) {
	if sent.lastChance.CompareAndSwap(true, false) {
		<-d.lastChance
	}
}

func (d *dispatcher) acked(e *entry, sent *delivery) {
	d.freeSlot()
	sent.ctx.settle()
	if !d.log.silent {
		d.log.Trace("Message acked", watermill.LogFields{"entry_id": e.IDText(), "message_uuid": sent.msg.UUID})
	}
	d.done(e)
}

// done settles an entry for the group. What was taken away from a handler that had
// it for too long is settled as well: the work is done, whoever has it now.
func (d *dispatcher) done(e *entry) {
	if d.acker == nil {
		d.ledger.settle(e, forgotten)
		return
	}
	// Who is next with the key may be acked at once. Its ack must not come to Redis first: a crash
	// between the two would bring this one back alone, after the newer one.
	d.settling.Lock()
	defer d.settling.Unlock()
	if d.ledger.settle(e, acked) || d.ledger.isExpired(e) {
		d.acker.add(e)
	}
}

// nacked decides what becomes of a message that failed. It returns the next
// delivery if it was handed out again, and has settled the entry otherwise.
func (d *dispatcher) nacked(handOut, work context.Context, e *entry, sent *delivery) *delivery {
	d.freeSlot()
	sent.ctx.settle()
	d.ledger.failed(e)
	v, handOuts := sent.verdict(), sent.ctx.origin.deliveries
	fields := watermill.LogFields{"entry_id": e.IDText(), "message_uuid": sent.msg.UUID, "deliveries": handOuts}
	if !d.log.silent {
		d.log.Trace("Message nacked", fields)
	}
	switch {
	case !d.redelivers:
		d.log.Info("Dropped a nacked message, because delivery is at most once", fields)
		d.ledger.settle(e, forgotten)
	case v.fate == fateDropped:
		d.log.Info("Dropped a message, as its handler said", fields.Add(watermill.LogFields{"reason": v.said}))
		d.done(e)
	case v.fate == fateDead:
		d.bury(e, epitaphOf(sent, v.said)) //nolint:contextcheck // it is about the message
	case d.retries.exhausted(handOuts):
		d.bury(e, epitaphOf(sent, failedEach(handOuts, v.said))) //nolint:contextcheck // it is about the message
	case d.ledger.isLost(e):
		d.giveBack(work, e)
	default:
		sent.msg = nil // it may be large, and the wait long
		return d.retry(handOut, work, e, v, handOuts)
	}
	return nil
}

// retry hands a message out again in its place, or leaves that to the group.
func (d *dispatcher) retry(handOut, work context.Context, e *entry, v verdict, handOuts int64) *delivery {
	wait := v.delay
	if v.fate != fateRetried {
		wait = d.retries.pause(handOuts)
	}
	if d.retries.toGroup {
		d.postpone(handOut, work, e, wait)
		return nil
	}
	if !pause(handOut, wait) {
		d.giveBack(work, e)
		return nil
	}
	if d.holder == nil {
		d.ledger.again(e)
	}
	if d.ledger.maxInFlight == 1 {
		return d.deliver(handOut, work, e, d.front)
	}
	return d.deliver(handOut, work, e, nil)
}

// postpone gives an entry back to the group for after a time. The entry keeps its
// slot until Redis has agreed.
func (d *dispatcher) postpone(handOut, work context.Context, e *entry, wait time.Duration) {
	if !d.holder.delay(handOut, work, e, wait) {
		d.giveBack(work, e)
		return
	}
	d.ledger.settle(e, forgotten)
	d.postponed(time.Now().Add(wait))
}

// reject gives up on an entry that is no message. It must not hold up others.
func (d *dispatcher) reject(e *entry, err error) { d.bury(e, epitaph{reason: err.Error()}) }

// bury gives up on an entry.
func (d *dispatcher) bury(e *entry, why epitaph) {
	if d.undertaker == nil {
		d.log.Error("Skipping an entry that can't be processed, as there is no group with dead letters", errors.New(why.reason), watermill.LogFields{"entry_id": e.IDText()})
		d.ledger.settle(e, forgotten)
		return
	}
	if d.ledger.settle(e, condemned) {
		d.undertaker.add(e, why)
	}
}

// giveBack ends the hand-out of an entry that will not be handed out again here,
// and releases it at once if it is still ours.
func (d *dispatcher) giveBack(work context.Context, e *entry) {
	if !d.ledger.settle(e, returning) || d.holder == nil {
		return
	}
	if err := d.holder.release(work, []*entry{e}); err == nil {
		d.ledger.forget([]*entry{e})
	} // else it is released with everything else at the end
}

// abandon settles a message whose handler did not come back in time. Its nack
// decides between the handler and us: if it comes too late, the message was
// acked. It also frees those who wait for the message to be settled.
func (d *dispatcher) abandon(e *entry, sent *delivery) {
	if !sent.msg.Nack() {
		d.acked(e, sent)
		return
	}
	d.freeSlot()
	sent.ctx.end(ErrSubscriberClosed)
	d.log.Info("Gave up waiting for a message's handler; the message goes to another consumer", watermill.LogFields{"entry_id": e.IDText(), "message_uuid": sent.msg.UUID})
	d.ledger.settle(e, returning)
}

// unsettled is the reason when no handler said anything, not even a nack.
const unsettled = "nobody settled it"

// failedEach is the reason to give up a message that was handed out too often.
func failedEach(handOuts int64, last string) string {
	if last == "" {
		last = errNoReason.Error()
	}
	return fmt.Sprintf("failed in each of %d deliveries, the last time with: %s", handOuts, last)
}

// verdict is what the handler said.
func (d *delivery) verdict() verdict {
	if v := d.ctx.origin.verdict.Load(); v != nil {
		return *v
	}
	return verdict{}
}

// epitaphOf is what can be said of a delivery that was the last.
func epitaphOf(d *delivery, reason string) epitaph {
	ctx := d.msg.Context() // of the message, as the router has made it
	return epitaph{reason: reason, handler: message.HandlerNameFromCtx(ctx), subscriber: message.SubscriberNameFromCtx(ctx)}
}

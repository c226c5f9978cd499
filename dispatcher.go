package redisstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// dispatcher hands entries to the caller as messages and waits for their acks
// and nacks. It is the only sender on the subscription's channel, and an entry
// that is nacked comes again from here, in place, before those behind it.
type dispatcher struct {
	ledger      *ledger
	out         chan<- *message.Message
	values      context.Context //nolint:containedctx // what messages' contexts get their values from
	stream      string
	unmarshaler Unmarshaler
	backoff     func(attempt int) time.Duration
	log         logger

	// Without a group, or with at-most-once delivery, Redis keeps nothing for us
	// and these are nil.
	member     *member
	acker      *acker
	undertaker *undertaker

	redelivers bool            // false = a nack drops the message
	recall     chan struct{}   // one token: an entry in hand may be lost
	giveUp     <-chan struct{} // closed when nobody waits for handlers any more

	stale timeout // of who has the recall channel
}

// delivery is one hand-out of an entry. A nacked message comes again as a new
// one: its handler may have changed the old one, and still have it.
type delivery struct {
	msg *message.Message
	ctx messageContext
}

// run hands out until handOut ends, and returns when everything that was handed
// out is settled, or given up. What has to be told to Redis meanwhile may take
// until work ends.
func (d *dispatcher) run(handOut, work context.Context) {
	var attending sync.WaitGroup
	defer attending.Wait()
	for {
		e := d.ledger.next(handOut)
		if e == nil {
			return
		}
		sent := d.deliver(handOut, work, e, d.recall)
		switch {
		case sent == nil:
		case d.ledger.maxInFlight == 1:
			d.attend(handOut, work, e, sent)
		default:
			attending.Go(func() { d.attend(handOut, work, e, sent) })
		}
	}
}

// deliver makes sure that an entry is ours and sends it to the caller. It
// returns nil when the caller did not get it, and has then settled the entry.
func (d *dispatcher) deliver(handOut, work context.Context, e *entry, recall <-chan struct{}) *delivery {
	if d.member != nil && d.ledger.due(e, time.Now().Add(-d.member.minIdle/3)) && !d.member.verify(handOut, e) {
		d.giveBack(work, e)
		return nil
	}
	sent, err := d.open(e) //nolint:contextcheck // a message's context outlives the hand-out
	if err != nil {
		d.reject(e, err)
		return nil
	}
	if !d.ledger.offer(e, sent) {
		d.giveBack(work, e)
		return nil
	}
	if !d.send(handOut, e, sent, recall) {
		d.ledger.withdraw(e)
		d.giveBack(work, e)
		sent.ctx.end(errDrained)
		return nil
	}
	return sent
}

// send waits for the caller to take the message. Meanwhile the entry may become
// somebody else's, so it is verified again from time to time. Without a recall
// channel, which only one sender can listen to, the end of the message's context
// recalls it.
func (d *dispatcher) send(handOut context.Context, e *entry, sent *delivery, recall <-chan struct{}) bool {
	stale := &d.stale
	if recall == nil {
		stale, recall = &timeout{}, sent.ctx.Done()
	}
	defer stale.stop()
	for {
		if d.member != nil {
			stale.set(time.Until(d.ledger.confirmedAt(e).Add(d.member.minIdle / 3)))
		}
		select {
		case d.out <- sent.msg:
			if !d.log.silent {
				d.log.Trace("Message handed out", watermill.LogFields{"entry_id": e.id, "message_uuid": sent.msg.UUID, "deliveries": sent.ctx.origin.deliveries})
			}
			return true
		case <-handOut.Done():
			return false
		case <-recall:
			if d.ledger.isLost(e) {
				return false
			}
		case <-stale.passed():
			if d.ledger.due(e, time.Now().Add(-d.member.minIdle/3)) && !d.member.stillOurs(handOut, e) {
				return false
			}
		}
	}
}

// open makes a message of an entry.
func (d *dispatcher) open(e *entry) (*delivery, error) {
	fields := make([]Field, e.Len())
	for i := range fields {
		fields[i].Name, fields[i].Value = e.Field(i)
	}
	msg, err := d.unmarshaler.Unmarshal(Entry{Stream: d.stream, ID: e.id, Fields: fields})
	if err != nil {
		return nil, err
	}
	if msg == nil {
		return nil, errors.New("unmarshaler returned no message")
	}
	if msg.Acked() == nil { // not made by message.NewMessage: it could not be waited for
		msg = msg.Copy()
	}
	sent := &delivery{msg: msg, ctx: messageContext{values: d.values, origin: origin{stream: d.stream, id: e.ID}}}
	msg.SetContext(&sent.ctx)
	return sent, nil
}

// reject gives up on an entry that is no message. It must not hold up others.
func (d *dispatcher) reject(e *entry, err error) {
	err = fmt.Errorf("unmarshal entry %s: %w", e.id, err)
	if d.undertaker == nil {
		d.log.Error("Skipping an entry that is no message", err, watermill.LogFields{"entry_id": e.id})
		d.ledger.settle(e, forgotten)
		return
	}
	if d.ledger.settle(e, undecodable) {
		d.undertaker.add(e, err)
	}
}

// attend waits until the caller has settled the message for good.
func (d *dispatcher) attend(handOut, work context.Context, e *entry, sent *delivery) {
	for attempt := 1; sent != nil; attempt++ {
		select {
		case <-sent.msg.Acked():
			d.acked(e, sent)
			return
		case <-sent.msg.Nacked():
			sent = d.nacked(handOut, work, e, sent, attempt)
		case <-d.giveUp:
			d.abandon(e, sent)
			return
		}
	}
}

func (d *dispatcher) acked(e *entry, sent *delivery) {
	sent.ctx.end(context.Canceled)
	if !d.log.silent {
		d.log.Trace("Message acked", watermill.LogFields{"entry_id": e.id, "message_uuid": sent.msg.UUID})
	}
	if d.acker == nil {
		d.ledger.settle(e, forgotten)
		return
	}
	if d.ledger.settle(e, acked) {
		d.acker.add(e)
	}
}

// nacked hands the message out again, unless the subscription is ending or the
// entry is no longer ours. It returns nil when it has settled the entry.
func (d *dispatcher) nacked(handOut, work context.Context, e *entry, sent *delivery, attempt int) *delivery {
	sent.ctx.end(context.Canceled)
	if !d.log.silent {
		d.log.Trace("Message nacked", watermill.LogFields{"entry_id": e.id, "message_uuid": sent.msg.UUID, "attempt": attempt})
	}
	if !d.redelivers {
		d.log.Info("Dropped a nacked message, because delivery is at most once", watermill.LogFields{"entry_id": e.id, "message_uuid": sent.msg.UUID})
		d.ledger.settle(e, forgotten)
		return nil
	}
	if d.ledger.isLost(e) || !pause(handOut, d.backoff(attempt)) {
		d.giveBack(work, e)
		return nil
	}
	if d.member == nil {
		d.ledger.again(e)
	}
	if d.ledger.maxInFlight == 1 {
		return d.deliver(handOut, work, e, d.recall)
	}
	return d.deliver(handOut, work, e, nil)
}

// giveBack ends the hand-out of an entry that will not be handed out again here,
// and releases it at once if it is still ours.
func (d *dispatcher) giveBack(work context.Context, e *entry) {
	if !d.ledger.settle(e, returning) || d.member == nil {
		return
	}
	if err := d.member.release(work, []*entry{e}); err == nil {
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
	sent.ctx.end(ErrSubscriberClosed)
	d.log.Info("Gave up waiting for a message's handler; the message goes to another consumer", watermill.LogFields{"entry_id": e.id, "message_uuid": sent.msg.UUID})
	d.ledger.settle(e, returning)
}

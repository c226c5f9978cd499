package redisstream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// dispatcher hands entries to the caller as messages and waits for their acks
// and nacks. It is the only sender on the subscription's channel, and an entry
// that is nacked comes again from here, in place, before those behind it.
type dispatcher struct {
	ledger  *ledger
	opener  *opener
	out     chan<- *message.Message
	group   string // "" = none
	retries retries
	log     logger

	// Without a group, or with at-most-once delivery, Redis keeps nothing for us
	// and these are nil.
	holder     holder
	permit     permit // nil: there is no need of one
	acker      *acker
	undertaker *undertaker

	slots      chan struct{}       // taken for each message with the caller, by several dispatchers; nil = no limit
	maxLease   time.Duration       // how long a handler may have a message; 0 = no limit
	redelivers bool                // false = a nack drops the message
	postponed  func(due time.Time) // told of entries that come back later
	lastChance chan struct{}       // one token: who has it hands out a message for the last time
	recall     chan struct{}       // one token: an entry in hand may be lost
	giveUp     <-chan struct{}     // closed when nobody waits for handlers any more

	settling sync.Mutex // held until an ack is in the acker's queue, too

	front *front  // run's own
	stale timeout // of who has the front
}

// delivery is one hand-out of an entry. A nacked message comes again as a new
// one: its handler may have changed the old one, and still have it.
type delivery struct {
	msg   *message.Message
	ctx   messageContext
	since instant // when it was handed out, if that is of interest
	// lastChance: it is the one message in hand that will not be tried again.
	lastChance atomic.Bool
}

// isAcked reports whether the handler has acked the message, noticed or not.
func (d *delivery) isAcked() bool {
	select {
	case <-d.msg.Acked():
		return true
	default:
		return false
	}
}

// run hands out until handOut ends, and returns when everything that was handed
// out is settled, or given up. What has to be told to Redis meanwhile may take
// until work ends.
func (d *dispatcher) run(handOut, work context.Context) {
	d.front = &front{attend: func(e *entry, sent *delivery) { d.attend(handOut, work, e, sent) }, acked: d.acked}
	defer d.front.close()
	defer d.stale.stop()
	for {
		d.front.collect()
		e := d.ledger.next(handOut, d.front.entrust)
		if e == nil {
			return
		}
		if !d.assign(e) {
			continue
		}
		if d.mayHaveToWait(e) {
			d.front.away(func() { d.attend(handOut, work, e, d.deliver(handOut, work, e, nil)) })
			continue
		}
		sent := d.deliver(handOut, work, e, d.front)
		switch {
		case sent == nil:
		case d.ledger.maxInFlight == 1:
			d.attend(handOut, work, e, sent)
		default:
			d.front.add(e, sent)
		}
	}
}

// isForOthers reports whether an entry is for another group alone.
func (d *dispatcher) isForOthers(e *entry) bool {
	group, ok := addressee(e)
	return ok && group != d.group
}

// mayHaveToWait reports whether an entry may have to wait for another one that
// has its last chance.
func (d *dispatcher) mayHaveToWait(e *entry) bool {
	return d.ledger.maxInFlight > 1 && d.isLastChance(e, d.ledger.handOuts(e))
}

// isLastChance reports whether an entry is handed out for the last time, and may
// be one that kills its process.
func (d *dispatcher) isLastChance(e *entry, handOuts int64) bool {
	return d.retries.last(handOuts) && !d.ledger.isCleared(e)
}

// deliver hands an entry out, if it is for the caller and worth another attempt.
// It returns nil when the caller did not get it, and has then settled the entry. Only who
// has the front, which is one goroutine, gives it.
func (d *dispatcher) deliver(handOut, work context.Context, e *entry, at *front) *delivery {
	if d.isForOthers(e) {
		d.done(e)
		return nil
	}
	if d.holder == nil {
		return d.handOver(handOut, work, e, at)
	}
	due, handOuts := d.holder.isDue(e), int64(0)
	if due { // else it was read just now
		at.entrust() // what follows may take long
		handOuts = d.ledger.handOuts(e)
	}
	if d.retries.hopeless(handOuts) {
		d.bury(e, epitaph{reason: failedEach(handOuts, unsettled)})
		return nil
	}
	if e.isLent() && !e.isAhead() && !d.readAgain(handOut, e) {
		d.giveBack(work, e)
		return nil
	}
	last := d.isLastChance(e, handOuts)
	if last && !d.takeLastChance(handOut) {
		d.giveBack(work, e)
		return nil
	}
	var sent *delivery
	if !due || d.holder.verify(handOut, e) {
		sent = d.handOver(handOut, work, e, at)
	} else {
		d.giveBack(work, e)
	}
	if sent != nil {
		sent.lastChance.Store(last)
	} else if last {
		<-d.lastChance
	}
	return sent
}

// takeLastChance waits until no other message has its last chance here. It gives
// up after a while: the handler of that one may hang, and another member have time.
func (d *dispatcher) takeLastChance(ctx context.Context) bool {
	if d.permit == nil { // else nobody else could have it
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, maxHoard)
		defer cancel()
	}
	select {
	case d.lastChance <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// handOver makes a message of an entry that is ours and sends it to the caller.
func (d *dispatcher) handOver(handOut, work context.Context, e *entry, at *front) *delivery {
	s := slot{of: d.slots}
	if d.slots != nil && !d.mayHandOut(handOut, at, &s) {
		d.giveBack(work, e)
		return nil
	}
	sent := d.handOverNow(handOut, work, e, at, &s)
	if sent == nil {
		s.free()
	}
	return sent
}

// freeSlot lets another message be with the caller.
func (d *dispatcher) freeSlot() {
	if d.slots != nil {
		<-d.slots
	}
}

// handOverNow is handOver when there is room.
func (d *dispatcher) handOverNow(handOut, work context.Context, e *entry, at *front, s *slot) *delivery {
	if !d.opener.isQuick() {
		at.entrust()
	}
	sent, err := d.open(e) //nolint:contextcheck // a message's context outlives the hand-out
	if err != nil {
		at.entrust()
		d.reject(e, err)
		return nil
	}
	if !d.ledger.offer(e, sent) {
		at.entrust()
		d.giveBack(work, e)
		return nil
	}
	if !d.mayHandOut(handOut, at, s) || !d.trySend(sent) && !d.send(handOut, e, sent, at, s) {
		at.entrust()
		d.ledger.withdraw(e)
		d.giveBack(work, e)
		sent.ctx.end(errDrained)
		return nil
	}
	if d.maxLease > 0 {
		d.ledger.received(sent)
	}
	if d.permit != nil {
		d.permit.handedOut(sent)
	}
	if !d.log.silent {
		d.log.Trace("Message handed out", watermill.LogFields{"entry_id": e.IDText(), "message_uuid": sent.msg.UUID, "deliveries": sent.ctx.origin.deliveries})
	}
	return sent
}

// trySend sends the message if the caller is waiting for it, as one that is fast is
// nearly always. No timer is needed then.
func (d *dispatcher) trySend(sent *delivery) bool {
	select {
	case d.out <- sent.msg:
		return true
	default:
		return false
	}
}

// send waits for the caller to take the message. Meanwhile the entry may become
// somebody else's, so it is verified again from time to time. Only who has the front
// listens to the recall channel; to others, the end of the message's context recalls it.
func (d *dispatcher) send(handOut context.Context, e *entry, sent *delivery, at *front, s *slot) bool {
	stale, recall := &d.stale, (<-chan struct{})(d.recall)
	if at == nil {
		stale, recall = &timeout{}, sent.ctx.Done()
		defer stale.stop()
	}
	for {
		var doubted <-chan struct{}
		if d.holder != nil {
			stale.set(d.holder.doubtAt(e))
		}
		if d.permit != nil {
			if doubted = d.permit.doubted(); !d.mayHandOut(handOut, at, s) {
				return false
			}
		}
		select {
		case d.out <- sent.msg:
			return true
		case <-handOut.Done():
			return false
		case <-at.tired():
			at.entrust()
		case <-recall:
			if d.ledger.isLost(e) {
				return false
			}
		case <-doubted:
		case <-stale.passed():
			stale.over()
			if d.holder.isDue(e) && !d.holder.stillOurs(handOut, e) {
				return false
			}
		}
	}
}

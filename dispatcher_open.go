package redisstream

import "github.com/ThreeDotsLabs/watermill/message"

// How the dispatcher makes messages of entries, and learns their keys.

// assign learns the key of an entry that was taken, where that matters. It reports false
// when the entry is not to be handed out now: it waits for another one, or is given up.
func (d *dispatcher) assign(e *entry) bool {
	if d.ledger.order == nil || e.keyed != nil || d.isForOthers(e) {
		return true
	}
	if !d.opener.isQuick() {
		d.front.entrust()
	}
	msg, key, err := d.opener.openKeyed(&e.Entry, e.size)
	if err != nil {
		d.front.entrust()
		d.reject(e, err)
		return false
	}
	return d.ledger.assign(e, key, msg)
}

// open makes a message of an entry.
func (d *dispatcher) open(e *entry) (*delivery, error) {
	msg, key, err := d.openKeyed(e)
	if err != nil {
		return nil, err
	}
	sent := &e.first
	if e.opened {
		sent = &delivery{}
	}
	e.opened, sent.msg = true, msg
	o := &sent.ctx.origin
	o.opener, o.id, o.key = d.opener, e.ID, key
	msg.SetContext(&sent.ctx)
	return sent, nil
}

// openKeyed makes a message of an entry, unless that was done to learn its key.
func (d *dispatcher) openKeyed(e *entry) (*message.Message, string, error) {
	switch {
	case e.keyed == nil:
		return d.opener.openKeyed(&e.Entry, e.size)
	case e.keyed.ahead != nil:
		msg := e.keyed.ahead
		e.keyed.ahead = nil // the next delivery has a message of its own
		return msg, e.keyed.key, nil
	default:
		msg, err := d.opener.open(&e.Entry, e.size)
		return msg, e.keyed.key, err
	}
}

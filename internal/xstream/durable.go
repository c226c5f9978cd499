package xstream

import (
	"context"
	"slices"
	"sync"

	"github.com/redis/rueidis"
)

const (
	// maxUnderWay is how many batches of a lane are under way at once, each on a connection
	// of its own.
	maxUnderWay = 2
	// maxBatch and maxBatchBytes bound what goes together. A server that writes its file once
	// a second answers but once a second, so it has to be much.
	maxBatch      = 4096
	maxBatchBytes = 8 << 20
)

// durable adds entries, and waits until those have them who should. What comes while
// batches are under way goes together, and is waited for with one command.
//
// A server waits for the last write of the connection that asks. So all of a batch goes
// over one connection that nobody else uses, in one pipeline. In a cluster that connection
// belongs to a node, and what goes together is of one slot: a lane. Elsewhere there is one
// lane for all.
type durable struct {
	adder *Adder
	want  Durability

	mu    sync.Mutex // protects the following fields, and the lanes
	lanes map[uint16]*lane
}

// lane is what goes to one node.
type lane struct {
	underWay int // batches
	waiting  []*order
	able     bool // the node has answered what is asked after each batch
}

// order is what one caller wants to add.
type order struct {
	units   []unit
	entries int
	size    int
	woken   chan struct{} // one token
	batch   []*order      // those whom it has to send with itself
}

// NewDurableAdder returns an Adder that waits until those have an entry who should. What they do
// not have in time has an ID and, as its error, a *NotDurableError.
func NewDurableAdder(client rueidis.Client, want Durability) *Adder {
	a := NewAdder(client)
	a.durable = &durable{adder: a, want: want, lanes: map[uint16]*lane{}}
	return a
}

// add adds what goes to one node.
func (d *durable) add(ctx context.Context, parts []Part) []Added {
	o := &order{woken: make(chan struct{}, 1)}
	for _, part := range parts {
		o.entries += len(part.Entries)
		for i := range part.Entries {
			o.size += part.Entries[i].size()
		}
	}
	out := make([]Added, o.entries)
	o.units = d.adder.units(parts, out)
	l := d.lane(parts[0].Stream)
	if !d.enter(l, o) {
		<-o.woken
	}
	if o.batch != nil {
		d.lead(ctx, l, o)
	}
	return out
}

// lane is where a stream belongs.
func (d *durable) lane(stream string) *lane {
	var slot uint16
	if d.adder.isCluster() {
		cmd := d.adder.client.B().Arbitrary("XADD").Keys(stream).Build()
		slot = cmd.Slot()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[slot]
	if l == nil {
		l = &lane{}
		d.lanes[slot] = l
	}
	return l
}

// enter reports whether an order may go at once.
func (d *durable) enter(l *lane, o *order) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.underWay < maxUnderWay {
		l.underWay++
		o.batch = []*order{o}
		return true
	}
	l.waiting = append(l.waiting, o)
	return false
}

// leave has the first of those who wait send itself and others. There is one.
func (l *lane) leave() {
	n, entries, size := 0, 0, 0
	for _, o := range l.waiting {
		entries += o.entries
		size += o.size
		if n > 0 && (entries > maxBatch || size > maxBatchBytes) {
			break
		}
		n++
	}
	leader := l.waiting[0]
	leader.batch = slices.Clone(l.waiting[:n])
	l.waiting = slices.Delete(l.waiting, 0, n)
	l.underWay++
	leader.woken <- struct{}{}
}

// landed notes that a batch has its answers.
func (d *durable) landed(l *lane) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.underWay--
	if len(l.waiting) > 0 {
		l.leave()
	}
}

// lead sends the batch of an order, and tells the others that they have their answers.
func (d *durable) lead(ctx context.Context, l *lane, leader *order) {
	defer d.landed(l)
	defer func() {
		for _, o := range leader.batch[1:] {
			o.woken <- struct{}{}
		}
	}()
	var units []*unit
	for _, o := range leader.batch {
		for i := range o.units {
			o.units[i].fail(errAbandoned)
			units = append(units, &o.units[i])
		}
	}
	d.deliver(ctx, l, units)
}

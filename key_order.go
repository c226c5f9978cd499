package redisstream

import (
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

const (
	// maxBlocked bounds what waits for its key, and so what a slow key keeps from other
	// members and how much has to be renewed.
	maxBlocked = 1 << 12
	// maxBlockedBytes bounds the memory of that, as fields or as messages.
	maxBlockedBytes = maxPrefetchBytes
)

// keyed is what is known of an entry whose key was asked for.
type keyed struct {
	key   string           // "" = none
	ahead *message.Message // made of the entry to learn the key. While the entry is in flight, it is the dispatcher's
}

// keyOrder keeps entries with a key in common in order where several may be in hand: the
// next one has to wait until the one before is settled. What waits is out of
// the way of all others, in a queue of its key, so that however much it is, nobody
// looks at it. The ledger's lock protects it; nil keeps no order.
//
// When an entry is settled, the first of the queue has the key at once and goes back to the
// ledger's buffer: of what was taken before, the key may not be known yet.
type keyOrder struct {
	holders map[string]*entry   // what has the key: in flight; in the buffer; or lost, and with a handler
	queues  map[string][]*entry // what waits for that, in the order of the stream; none is empty
	blocked int                 // entries in all queues
	bytes   int                 // of their fields
}

func newKeyOrder() *keyOrder {
	return &keyOrder{holders: map[string]*entry{}, queues: map[string][]*entry{}}
}

// full reports whether so much waits that nothing more is to be read.
func (o *keyOrder) full() bool {
	return o != nil && (o.blocked >= maxBlocked || o.bytes >= maxBlockedBytes)
}

// before is the other entry that has the key of this one, or nil.
func (o *keyOrder) before(e *entry) *entry {
	if o == nil || e.keyed == nil || o.holders[e.keyed.key] == e {
		return nil
	}
	return o.holders[e.keyed.key]
}

// hold gives an entry its key.
func (o *keyOrder) hold(e *entry) {
	if o != nil && e.keyed != nil && e.keyed.key != "" {
		o.holders[e.keyed.key] = e
	}
}

// park has an entry wait for its key. Its message is made again when its turn comes, unless
// the message has the memory of the fields: nothing is kept twice.
func (o *keyOrder) park(e *entry) {
	if !e.isLent() {
		e.keyed.ahead = nil
	}
	key := e.keyed.key
	o.queues[key] = insert(o.queues[key], e)
	o.blocked++
	o.bytes += e.size
}

// leave ends what an entry has to do with its key. It returns the entry that has the key
// instead, if there is one.
func (o *keyOrder) leave(e *entry) (next *entry) {
	if o == nil || e.keyed == nil {
		return nil
	}
	key := e.keyed.key
	e.keyed = nil
	if o.holders[key] != e {
		if i := slices.Index(o.queues[key], e); i >= 0 {
			o.remove(key, i)
		}
		return nil
	}
	delete(o.holders, key)
	if len(o.queues[key]) > 0 {
		next = o.remove(key, 0)
		o.hold(next)
	}
	return next
}

// remove takes an entry out of the queue of a key.
func (o *keyOrder) remove(key string, i int) *entry {
	queue := o.queues[key]
	e := queue[i]
	if i == 0 {
		queue[0] = nil
		queue = queue[1:]
	} else {
		queue = slices.Delete(queue, i, i+1)
	}
	o.queues[key] = queue
	if len(queue) == 0 {
		delete(o.queues, key)
	}
	o.blocked--
	o.bytes -= e.size
	return e
}

// waiting lists the queues that which tells.
func (o *keyOrder) waiting(which func(holder, first *entry) bool) []*entry {
	if o == nil {
		return nil
	}
	var out []*entry
	for key, queue := range o.queues {
		if which(o.holders[key], queue[0]) {
			out = append(out, queue...)
		}
	}
	return out
}

// release takes out the queues that which tells.
func (o *keyOrder) release(which func(holder, first *entry) bool) []*entry {
	out := o.waiting(which)
	for _, e := range out {
		delete(o.queues, e.keyed.key)
		o.blocked--
		o.bytes -= e.size
	}
	return out
}

// giveUp takes the keys from entries that leave the buffer. What waits for them has been
// released.
func (o *keyOrder) giveUp(entries []*entry) {
	if o == nil {
		return
	}
	for _, e := range entries {
		if e.keyed != nil && o.holders[e.keyed.key] == e {
			delete(o.holders, e.keyed.key)
		}
	}
}

// anyKey is for all that waits.
func anyKey(_, _ *entry) bool { return true }

// keyIsNext is for what waits behind an entry in the buffer.
func keyIsNext(holder, _ *entry) bool { return holder.state == buffered }

// keyIsLost is for what has waited since before a time for a message that is with a
// handler here, and is not ours any more.
func keyIsLost(since time.Time) func(holder, first *entry) bool {
	return func(holder, first *entry) bool {
		return holder.state == lost && first.admitted < instantOf(since)
	}
}

// insert adds an entry to a list in the order of the stream.
func insert(list []*entry, e *entry) []*entry {
	at, _ := slices.BinarySearchFunc(list, e, func(a, b *entry) int { return a.ID.Compare(b.ID) })
	return slices.Insert(list, at, e)
}

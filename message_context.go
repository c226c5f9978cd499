package redisstream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// EntryIDFromContext returns the ID of the stream entry of a received message,
// such as "1526919030474-55". ctx is the message's context or one made from it.
func EntryIDFromContext(ctx context.Context) (string, bool) {
	if o := originOf(ctx); o != nil {
		return o.id.String(), true
	}
	return "", false
}

// StreamFromContext returns the stream key that a received message came from.
func StreamFromContext(ctx context.Context) (string, bool) {
	if o := originOf(ctx); o != nil {
		return o.opener.stream, true
	}
	return "", false
}

// PartitionFromContext returns which partition of its topic a received message came from,
// counted from 0. It reports false for a topic without partitions.
func PartitionFromContext(ctx context.Context) (int, bool) {
	if o := originOf(ctx); o != nil && o.opener.partitioned {
		return o.opener.partition, true
	}
	return 0, false
}

// FencingTokenFromContext returns a number that grows whenever the message's partition
// goes to another member of the group. Who writes it beside what a handler stores, and refuses
// to store anything with a smaller one, keeps out a handler that was paused while another
// member went on. It reports false without a group, and for a topic without partitions.
func FencingTokenFromContext(ctx context.Context) (int64, bool) {
	if o := originOf(ctx); o != nil && o.opener.epoch > 0 {
		return o.opener.epoch, true
	}
	return 0, false
}

// DeliveryCountFromContext returns how often the message was handed out in its
// group, this time included; the first time it is 1. Redis keeps the count, so
// it goes on when another consumer takes the message over. A consumer that died
// within about a second of reading ahead may leave entries that count one
// delivery too many. Without a group, the subscription counts by itself.
func DeliveryCountFromContext(ctx context.Context) (int64, bool) {
	if o := originOf(ctx); o != nil {
		return o.deliveries, true
	}
	return 0, false
}

// EntryTimeFromContext returns when the entry was added to the stream, to the
// millisecond, by the server's clock; if the publisher chose the entry's ID, it
// is the time in that ID.
func EntryTimeFromContext(ctx context.Context) (time.Time, bool) {
	if o := originOf(ctx); o != nil {
		return o.id.Time(), true
	}
	return time.Time{}, false
}

// PartitionKeyFromContext returns the key that SubscriberConfig.PartitionKey gave a
// received message. It reports false for a message that has none.
func PartitionKeyFromContext(ctx context.Context) (string, bool) {
	if o := originOf(ctx); o != nil && o.key != "" {
		return o.key, true
	}
	return "", false
}

// origin is what the broker knows of a message. It is kept in the context and
// not in the metadata, which a handler would publish again.
type origin struct {
	opener     *opener // that made the message
	id         xstream.ID
	key        string // "" = none
	deliveries int64
	verdict    atomic.Pointer[verdict] // what the handler said
}

// place is what the messages of one stream have in common.
type place struct {
	stream      string
	partitioned bool
	partition   int
	epoch       int64 // 0 = none
}

type originKey struct{}

func originOf(ctx context.Context) *origin {
	o, _ := ctx.Value(originKey{}).(*origin)
	return o
}

// messageContext is the context of one delivery. It has the values of the
// context given to Subscribe, but not its end: work in progress may go on while
// a subscription drains. A cancellable context proper is made only for those who
// ask for one, because most handlers never do.
type messageContext struct {
	origin origin

	mu     sync.Mutex // protects the following field
	ending *ending    // nil: it has not ended, and nobody has asked whether it does
}

// ending is how a context has ended, or will.
type ending struct {
	cause  error           // nil = it goes on
	inner  context.Context //nolint:containedctx // it is a context; nil = nobody has asked for it
	cancel context.CancelCauseFunc
}

// settled is the usual ending, for which no memory is needed. It is not changed.
var settled = ending{cause: context.Canceled} //nolint:gochecknoglobals // one for all

func (c *messageContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *messageContext) Done() <-chan struct{} { return c.cancellable().Done() }

func (c *messageContext) Err() error {
	c.mu.Lock()
	ended := c.ending != nil && c.ending.cause != nil
	c.mu.Unlock()
	if !ended {
		return nil
	}
	return c.cancellable().Err()
}

func (c *messageContext) Value(key any) any {
	if _, ok := key.(originKey); ok {
		return &c.origin
	}
	c.mu.Lock()
	made := c.ending != nil
	c.mu.Unlock()
	if made { // context.Cause and derived contexts find the cancellation through it
		return c.cancellable().Value(key)
	}
	return c.origin.opener.values.Value(key)
}

// cancellable returns the cancellable context, and makes it if need be.
func (c *messageContext) cancellable() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending != nil && c.ending.inner != nil {
		return c.ending.inner
	}
	made := &ending{}
	made.inner, made.cancel = context.WithCancelCause(c.origin.opener.values)
	if c.ending != nil {
		made.cause = c.ending.cause
		made.cancel(made.cause)
	}
	c.ending = made
	return made.inner
}

// end cancels the context. The first cause counts; it reports whether this is it.
func (c *messageContext) end(cause error) bool { return c.endAs(&ending{cause: cause}) }

// settle is end for a message that was acked or nacked.
func (c *messageContext) settle() { c.endAs(&settled) }

func (c *messageContext) endAs(e *ending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ending == nil:
		c.ending = e
	case c.ending.cause != nil:
		return false
	default:
		c.ending.cause = e.cause
		c.ending.cancel(e.cause)
	}
	return true
}

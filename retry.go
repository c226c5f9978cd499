package redisstream

import (
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// NackPolicy says where a nacked message waits until it is handed out again.
type NackPolicy uint8

const (
	// RedeliverInPlace keeps the message in its place: the subscription waits for
	// NackBackoff and hands it out again before those behind it. A message that
	// always fails holds up one of MaxInFlight slots. The wait ends with the
	// subscription: the next one hands the message out at once.
	RedeliverInPlace NackPolicy = iota

	// ReturnToGroup gives the message back to the group, which hands it out again
	// after NackBackoff, at most two seconds later than that, to any member with a
	// free slot. The subscription goes on with the next message, so the order is
	// given up. The wait is kept in Redis and goes on when the consumer ends. New
	// messages get at least every second turn, however many come again.
	ReturnToGroup
)

func (p NackPolicy) String() string {
	switch p {
	case RedeliverInPlace:
		return "RedeliverInPlace"
	case ReturnToGroup:
		return "ReturnToGroup"
	default:
		return "unknown NackPolicy"
	}
}

// retries is what becomes of a message that failed.
type retries struct {
	backoff func(attempt int) time.Duration
	toGroup bool
	most    int64 // hand-outs; 0 = no limit
}

func (c SubscriberConfig) retries() retries {
	return retries{backoff: c.NackBackoff, toGroup: c.NackPolicy == ReturnToGroup, most: int64(c.MaxDeliveries)}
}

// pause is how long to wait after so many hand-outs.
func (r retries) pause(handOuts int64) time.Duration {
	const enough = 1 << 30 // an int, also where that has 32 bits
	return r.backoff(int(min(handOuts, enough)))
}

// exhausted reports whether a message that has failed once more has failed often
// enough.
func (r retries) exhausted(handOuts int64) bool { return r.most > 0 && handOuts >= r.most }

// hopeless reports whether a message that somebody else left is not to be handed
// out again. A count of 1 may be that of a read whose consumer died before it
// handed anything out, so it condemns nobody. The greatest count of all is how
// others say that nothing more should be tried.
func (r retries) hopeless(handOuts int64) bool {
	return r.exhausted(handOuts) && handOuts > 1 || handOuts >= xstream.MaxDeliveries
}

// last reports whether the next hand-out is the last one.
func (r retries) last(handOuts int64) bool {
	return r.most > 0 && handOuts > 0 && handOuts >= r.most-1
}

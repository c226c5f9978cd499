package redisstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Reject returns an error with which a handler says that it is of no use to
// try the message again: when the message is nacked, which the router does for a
// handler that returned an error, it moves to the dead letters with the reason.
// Without a group it is logged and skipped. With AtMostOnce every nack drops the
// message, whatever is said.
//
// ctx is the message's context or one made from it; with another one, only
// RecordError heeds what is returned. An ack overrules what was
// said, and so does the last one of several calls.
func Reject(ctx context.Context, reason error) error {
	return decide(ctx, verdict{fate: fateDead, reason: reason})
}

// Drop is like Reject, but the message is settled as if it had been acked.
func Drop(ctx context.Context, reason error) error {
	return decide(ctx, verdict{fate: fateDropped, reason: reason})
}

// RetryAfter is like Reject, but the message is handed out again after a
// time of its own instead of NackBackoff. SubscriberConfig.NackPolicy says where
// it waits, and MaxDeliveries goes on counting.
func RetryAfter(ctx context.Context, d time.Duration, reason error) error {
	return decide(ctx, verdict{fate: fateRetried, delay: max(d, 0), reason: reason})
}

// RecordError is a middleware for Watermill's router that remembers the error of
// a handler, so that a dead letter tells it as its reason. Without it, a
// subscriber sees only that a message was nacked. It also heeds what Reject, Drop and
// RetryAfter say with a context that is not the message's, if the handler returns it.
//
// Add it first: it then sees the panics that Recoverer makes errors of, and what is
// left when Retry has given up.
func RecordError(h message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		out, err := h(msg)
		if o := originOf(msg.Context()); o != nil && err != nil {
			v := verdict{reason: err, said: err.Error()}
			if said := (*VerdictError)(nil); errors.As(err, &said) { // with another context, such as a copy's
				v = said.verdict
			}
			o.verdict.CompareAndSwap(nil, &v)
		}
		return out, err
	}
}

// VerdictError is what Reject, Drop and RetryAfter return. Match it with
// errors.As, such as in the ShouldRetry of a middleware.
type VerdictError struct {
	verdict verdict
}

func (e *VerdictError) Error() string { return e.verdict.text() }

// Unwrap returns the reason that the handler gave.
func (e *VerdictError) Unwrap() error { return e.verdict.reason }

type fate uint8

const (
	fateOpen fate = iota // nothing but a reason
	fateDead
	fateDropped
	fateRetried
)

// verdict is what a handler said of a message that it will nack.
type verdict struct {
	fate   fate
	delay  time.Duration
	reason error
	said   string // the reason's text, from when it was the handler's
}

var errNoReason = errors.New("no reason given")

func decide(ctx context.Context, v verdict) error {
	if v.reason == nil {
		v.reason = errNoReason
	}
	v.said = v.reason.Error()
	if o := originOf(ctx); o != nil {
		o.verdict.Store(&v)
	}
	return &VerdictError{v}
}

func (v verdict) text() string {
	switch v.fate {
	case fateDead:
		return "reject: " + v.reason.Error()
	case fateDropped:
		return "drop: " + v.reason.Error()
	case fateRetried:
		return fmt.Sprintf("retry after %v: %v", v.delay, v.reason)
	default:
		return v.reason.Error()
	}
}

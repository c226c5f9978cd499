package redisstream

import "context"

// permit is a right to hand out that may end, or be in doubt for a time.
type permit interface {
	// isReady reports whether entries may be handed out now.
	isReady() bool
	// doubted is closed when that may have changed.
	doubted() <-chan struct{}
	// becomeReady waits until they may. It reports false when they never may again, or
	// when ctx ends.
	becomeReady(ctx context.Context) bool
	// handedOut is told of a message that the caller has now.
	handedOut(sent *delivery)
}

// mayHandOut reports whether messages may be handed out, and waits while that is in doubt.
func (d *dispatcher) mayHandOut(handOut context.Context, at *front) bool {
	if d.permit == nil || d.permit.isReady() {
		return true
	}
	at.entrust()
	return d.permit.becomeReady(handOut)
}

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

// mayHandOut reports whether a message may be handed out, and takes a slot for it. It waits while
// that is in doubt, and has no slot meanwhile: others may need it.
func (d *dispatcher) mayHandOut(handOut context.Context, at *front, s *slot) bool {
	for d.permit != nil && !d.permit.isReady() {
		s.free()
		at.entrust()
		if !d.permit.becomeReady(handOut) {
			return false
		}
	}
	return s.of == nil || s.take(handOut, at.entrust)
}

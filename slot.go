package redisstream

import "context"

// slot is one of those that several dispatchers have in common, for a message that is with the
// caller, or on the way there. Who has no slots has no need of one.
type slot struct {
	of    chan struct{}
	taken bool
}

// take waits for a slot. It reports false when ctx ends first, and calls waits before it
// waits.
func (s *slot) take(ctx context.Context, waits func()) bool {
	if s.of == nil || s.taken {
		return true
	}
	select {
	case s.of <- struct{}{}:
		s.taken = true
		return true
	default:
	}
	waits()
	select {
	case s.of <- struct{}{}:
		s.taken = true
	case <-ctx.Done():
	}
	return s.taken
}

// free gives the slot back.
func (s *slot) free() {
	if s.taken {
		<-s.of
		s.taken = false
	}
}

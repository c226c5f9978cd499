package redisstream

import (
	"context"
	"sync"
)

// settlers tell the server what became of entries: what was acked, and what is given up.
type settlers struct {
	acker      *acker
	undertaker *undertaker

	working sync.WaitGroup
	end     context.CancelFunc
}

// keep starts them.
func (s *settlers) keep(work context.Context) {
	work, s.end = context.WithCancel(work)
	s.working.Go(func() { s.acker.run(work) })
	s.working.Go(func() { s.undertaker.run(work) })
}

// flush has them do what is left, as far as Redis takes it until ctx ends. Nothing may
// be added afterwards.
func (s *settlers) flush(ctx context.Context) {
	close(s.acker.finish)
	close(s.undertaker.finish)
	waitFor(ctx, &s.working)
	s.end()
	s.working.Wait()
}

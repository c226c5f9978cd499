package failover_test

import (
	"sync"
	"testing"
	"time"
)

// stalls notes when this process got no time: what waits then waits for the machine.
type stalls struct {
	mu   sync.Mutex // protects the following field
	late []stall
}

type stall struct {
	at   time.Time
	late time.Duration
}

// watchStalls watches until the end of the test.
func watchStalls(tb testing.TB) *stalls {
	tb.Helper()
	const period = 20 * time.Millisecond
	s, stop := &stalls{}, make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for last := time.Now(); ; {
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
			now := time.Now()
			if late := now.Sub(last) - period; late > period {
				s.mu.Lock()
				s.late = append(s.late, stall{now, late})
				s.mu.Unlock()
			}
			last = now
		}
	})
	tb.Cleanup(func() {
		close(stop)
		watching.Wait()
	})
	return s
}

// since is how much time there was not, since some moment.
func (s *stalls) since(moment time.Time) (total time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.late {
		if x.at.After(moment) {
			total += x.late
		}
	}
	return total
}

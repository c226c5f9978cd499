package chaos

import (
	"math/rand/v2"
	"syscall"
	"time"
)

// kill is kill -9, and a new process at the end.
type kill struct{ Process string }

func (f kill) begin(s *stage) error { return s.slots[f.Process].stop(syscall.SIGKILL) }
func (f kill) end(s *stage) error   { return s.slots[f.Process].start() }

// terminate is SIGTERM, as a rolling restart does it: the new process may start while the old
// one is still ending.
type terminate struct{ Process string }

func (f terminate) begin(s *stage) error { return s.slots[f.Process].stop(syscall.SIGTERM) }
func (f terminate) end(s *stage) error   { return s.slots[f.Process].start() }

// pause is SIGSTOP: the process comes back and does not know that it was away.
type pause struct{ Process string }

func (f pause) begin(s *stage) error { return s.slots[f.Process].freeze() }
func (f pause) end(s *stage) error   { return s.slots[f.Process].thaw() }

// clockJump sets the wall clock of a process by an hour, and back at the end. The signals are those
// of the worker.
type clockJump struct {
	Process string
	Jump    syscall.Signal
	Back    syscall.Signal
}

func newClockJump(r *rand.Rand, target string, _ time.Duration) fault {
	if r.IntN(2) == 0 {
		return clockJump{target, syscall.SIGUSR2, syscall.SIGUSR1}
	}
	return clockJump{target, syscall.SIGUSR1, syscall.SIGUSR2}
}

func (f clockJump) begin(s *stage) error { return s.slots[f.Process].signal(f.Jump) }
func (f clockJump) end(s *stage) error   { return s.slots[f.Process].signal(f.Back) }

package partitions

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// slot is a place that one process has at a time, with a line to the server. One that has left
// or was killed may still be ending when the next one starts.
type slot struct {
	stage  *stage
	name   string
	binary string
	task   task.Task
	proxy  *redistest.Proxy

	mu      sync.Mutex // protects the following fields
	starts  int
	current *process // nil when none is wanted
	all     []*process
}

// start starts the next process.
func (s *slot) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts++
	t := s.task
	t.Process = fmt.Sprintf("%s.%d", s.name, s.starts)
	t.History = filepath.Join(s.stage.dir, t.Process+history.Extension)
	t.Seed += uint64(s.starts)
	s.stage.note(event(history.Started, t.Process))
	p, err := launch(&s.stage.work, s.binary, s.output(t.Process), t, s.ended)
	if err != nil {
		return err
	}
	s.current, s.all = p, append(s.all, p)
	return nil
}

// stop asks the process to end, or makes it, and waits for it if it is killed.
func (s *slot) stop(signal syscall.Signal) error {
	s.mu.Lock()
	p := s.current
	s.current = nil
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	if err := p.signal(signal); err != nil {
		return err
	}
	if signal == syscall.SIGKILL {
		<-p.exited
	}
	return nil
}

// freeze notes the pause when it has begun.
func (s *slot) freeze() error {
	p := s.running()
	defer s.stage.note(event(history.Paused, p.task.Process))
	return p.signal(syscall.SIGSTOP)
}

// thaw notes the end of the pause before it.
func (s *slot) thaw() error {
	p := s.running()
	s.stage.note(event(history.Resumed, p.task.Process))
	return p.signal(syscall.SIGCONT)
}

func (s *slot) running() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// processes are all that were ever started.
func (s *slot) processes() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// ended deals with the end of a process.
func (s *slot) ended(p *process) {
	name := p.task.Process
	switch {
	case p.killed():
		s.stage.note(event(history.Killed, name))
	case !p.cmd.ProcessState.Success():
		s.stage.trouble("%s: %v: %s", name, p.cmd.ProcessState, tail(s.output(name)))
	case s.running() == p:
		s.stage.trouble("%s ended without being asked to", name)
	}
}

func (s *slot) output(process string) string { return filepath.Join(s.stage.dir, process+".log") }

func (s *slot) isMember() bool { return s.task.Role == task.Consumes }

func event(kind history.Kind, process string) history.Event {
	return history.Event{Kind: kind, Process: process, Target: process}
}

// tail is the end of what a process has printed.
func tail(path string) string {
	const most = 8 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

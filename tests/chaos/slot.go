package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// slot is a place in the fleet that one process has at a time. One that ends without
// being asked to is replaced, as an orchestrator does it.
type slot struct {
	stage  *stage
	name   string
	binary string
	task   task.Task
	proxy  *redistest.Proxy

	mu      sync.Mutex // protects the following fields
	starts  int
	wanted  bool
	current *process
	all     []*process
	faults  []string // that hit the slot now
}

// start starts a process if none is wanted yet.
func (s *slot) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted {
		return nil
	}
	s.wanted = true
	return s.launch()
}

// startOnce starts a process that ends by itself.
func (s *slot) startOnce() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.launch()
}

// launch starts the next process. The caller holds mu.
func (s *slot) launch() error {
	s.starts++
	t := s.task
	t.Process = fmt.Sprintf("%s.%d", s.name, s.starts)
	t.History = filepath.Join(s.stage.dir, t.Process+history.Extension)
	t.Seed += uint64(s.starts)
	if s.starts > 1 {
		t.Publisher.Killer = 0 // one for each round
	}
	s.stage.note(s.event(history.Started, t.Process))
	p, err := launch(&s.stage.work, s.binary, s.output(t.Process), t, s.ended)
	if err != nil {
		return err
	}
	s.current, s.all = p, append(s.all, p)
	for _, name := range s.faults {
		s.stage.note(faultEvent(history.FaultBegins, name, t.Process))
	}
	return nil
}

// hit says that a fault begins, of all processes that use the slot's line: one may still be
// ending. It begins for each that starts before the fault has ended, too.
func (s *slot) hit(fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fault)
	for _, p := range s.all {
		if p.runs() {
			s.stage.note(faultEvent(history.FaultBegins, fault, p.task.Process))
		}
	}
}

// spare says that a fault has ended.
func (s *slot) spare(fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f string) bool { return f == fault })
	for _, p := range s.all {
		s.stage.note(faultEvent(history.FaultEnds, fault, p.task.Process))
	}
}

func faultEvent(kind history.Kind, fault, target string) history.Event {
	return history.Event{Kind: kind, Text: fault, Target: target}
}

// stop asks the process to end, or makes it, and does not start another one. It waits
// for what is killed.
func (s *slot) stop(signal syscall.Signal) error {
	s.mu.Lock()
	s.wanted = false
	p := s.current
	s.mu.Unlock()
	if p == nil { // it could not be started
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

func (s *slot) freeze() error {
	defer s.stage.note(s.event(history.Paused, s.running().task.Process))
	return s.signal(syscall.SIGSTOP)
}

func (s *slot) thaw() error {
	s.stage.note(s.event(history.Resumed, s.running().task.Process))
	return s.signal(syscall.SIGCONT)
}

func (s *slot) signal(signal syscall.Signal) error { return s.running().signal(signal) }

func (s *slot) running() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// processes are all that were ever started.
func (s *slot) processes() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// ended deals with the end of a process.
func (s *slot) ended(p *process) {
	if p.killed() || p.unborn() {
		s.stage.note(s.event(history.Killed, p.task.Process))
	} else if !p.cmd.ProcessState.Success() {
		s.stage.trouble("%s: %v: %s", p.task.Process, p.cmd.ProcessState, tail(s.output(p.task.Process)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.wanted || s.current != p {
		return
	}
	if p.cmd.ProcessState.Success() {
		s.stage.trouble("%s ended without being asked to", p.task.Process)
	}
	if err := s.launch(); err != nil {
		s.stage.trouble("%s: %v", s.name, err)
	}
}

func (s *slot) event(kind history.Kind, process string) history.Event {
	return history.Event{Kind: kind, Process: process, Target: process, Topic: s.task.Topic, Group: s.task.Consumer.Group}
}

func (s *slot) output(process string) string { return filepath.Join(s.stage.dir, process+".log") }

// tail is the end of what a process has printed.
func tail(path string) string {
	const most = 4 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

package redistest

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// stopTimeout is how long a signal may take to end the process.
const stopTimeout = 20 * time.Second

// Pause freezes the server: the kernel goes on to accept and acknowledge, nobody answers. The
// end of the test resumes it, so that a shared server is not frozen for the next test.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	check(tb, s.signal(syscall.SIGSTOP))
	tb.Cleanup(func() { _ = s.signal(syscall.SIGCONT) }) // it may be dead by then
}

// Resume ends a [Server.Pause].
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	check(tb, s.signal(syscall.SIGCONT))
}

// Kill ends the server like a crash (kill -9) and returns when the process is gone.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.change(tb, stopTimeout, s.crash)
}

// Shutdown ends the server in an orderly way (SIGTERM), also a paused one, and returns when the
// process is gone.
func (s *Server) Shutdown(tb testing.TB) {
	tb.Helper()
	s.change(tb, stopTimeout, func(ctx context.Context) error {
		return s.end(ctx, syscall.SIGTERM, syscall.SIGCONT)
	})
}

// Restart starts the server again on its port and in its directory, and returns when it answers
// and has loaded its data. A server that still runs is killed first. The data is back only with
// [AppendOnly].
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.change(tb, startTimeout, s.replace)
}

func (s *Server) replace(ctx context.Context) error {
	if err := s.crash(ctx); err != nil && !errors.Is(err, errNotRunning) {
		return err
	}
	err := s.launch(ctx)
	for errors.Is(err, errPortTaken) && ctx.Err() == nil { // each round lasts as long as a start of the server
		err = s.launch(ctx)
	}
	return err
}

func (s *Server) crash(ctx context.Context) error {
	return s.end(ctx, syscall.SIGKILL)
}

// end sends the signals and waits until the process is gone.
func (s *Server) end(ctx context.Context, signals ...syscall.Signal) error {
	pid, err := s.pid.take()
	if err != nil {
		return err
	}
	for _, signal := range signals {
		if err := send(pid, signal); err != nil {
			return err
		}
	}
	return awaitGone(ctx, pid)
}

func (s *Server) signal(signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid, err := s.pid.read()
	if err != nil {
		return err
	}
	return send(pid, signal)
}

// send takes a process that has already ended for a success: it may end on its own at any time.
func send(pid int, signal syscall.Signal) error {
	if err := syscall.Kill(pid, signal); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// change runs one change of the process at a time. It does not end with the context of the
// test, because cleanups restart servers too.
func (s *Server) change(tb testing.TB, timeout time.Duration, f func(context.Context) error) {
	tb.Helper()
	ctx, cancel := background(timeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	check(tb, f(ctx))
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// pollInterval paces every wait for another process.
const pollInterval = 5 * time.Millisecond

// errStillRuns reports a process that outlived its signal.
var errStillRuns = errors.New("server still runs")

// child is a server process that this test binary has started.
type child struct {
	pid    int
	exited <-chan struct{} // closed once the process is reaped
}

// spawn starts argv with its output appended to the log. The process dies with the thread that
// started it, so one goroutine locks a thread, starts the process and stays until it has ended;
// it belongs to wg. It calls ended before it announces the exit.
func spawn(wg *sync.WaitGroup, argv []string, log string, ended func(pid int)) (child, error) {
	exited := make(chan struct{})
	started := make(chan int)
	failed := make(chan error)
	wg.Go(func() {
		defer close(exited)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		process, err := fork(argv, log)
		if err != nil {
			failed <- err
			return
		}
		started <- process.Pid
		_, _ = process.Wait() // the log says more than the exit code
		ended(process.Pid)
	})
	select {
	case err := <-failed:
		return child{}, err
	case pid := <-started:
		return child{pid: pid, exited: exited}, nil
	}
}

func fork(argv []string, log string) (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }()
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	return os.StartProcess(argv[0], argv, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{null, out, out},
		Sys:   dieWithParent(),
	})
}

// awaitGone waits until there is no process pid any more. It polls, because the process may be
// the child of another (see restart.sh).
func awaitGone(ctx context.Context, pid int) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for alive(pid) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("pid %d: %w: %w", pid, errStillRuns, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

func alive(pid int) bool {
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

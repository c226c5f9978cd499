package partitions

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// process is one start of a worker.
type process struct {
	task   task.Task
	cmd    *exec.Cmd
	exited chan struct{} // closed when it is gone and its end has been dealt with
}

// launch starts a process and calls ended when it is gone. The kernel ends it together with the
// thread that started it, so one goroutine keeps that thread until then; it belongs to wg.
func launch(wg *sync.WaitGroup, binary, output string, t task.Task, ended func(*process)) (*process, error) {
	environment, err := t.Environment()
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary) //nolint:noctx // it ends with the round, whatever the test's context says
	cmd.Env = append(os.Environ(), environment, "GORACE=halt_on_error=1")
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, out, dieWithParent()
	p := &process{task: t, cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	wg.Go(func() {
		defer close(p.exited)
		defer func() { _ = out.Close() }()
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // ended looks at the state
		ended(p)
	})
	return p, <-started
}

// signal takes a process that has just ended by itself for a success.
func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// killed reports whether it was killed, or ended by a signal that came before it listened for
// signals, which it does before it opens its history. It must have ended.
func (p *process) killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return false
	}
	_, err := os.Stat(p.task.History)
	return status.Signal() == syscall.SIGKILL || errors.Is(err, fs.ErrNotExist)
}

func (p *process) runs() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

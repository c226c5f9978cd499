package servers

import (
	"context"
	"os/exec"
	"runtime"
)

// process is a server that dies with this program.
type process struct {
	pid    int
	kill   context.CancelFunc
	exited <-chan struct{} // closed once it is reaped
}

// spawn starts a program. The kernel kills it with the thread that started it, so one goroutine
// keeps a thread from the start to the end.
func spawn(ctx context.Context, binary string, args ...string) (*process, error) {
	ctx, kill := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.SysProcAttr = dieWithParent()
	started, exited := make(chan error), make(chan struct{})
	go func() {
		defer close(exited)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log says more than the exit code
		}
	}()
	if err := <-started; err != nil {
		kill()
		return nil, err
	}
	return &process{pid: cmd.Process.Pid, kill: kill, exited: exited}, nil
}

func (p *process) stop() {
	p.kill()
	<-p.exited
}

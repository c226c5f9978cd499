// Worker is a member of a group or a publisher, in a process of its own, which can be killed,
// paused and cut off. It writes what it does to a history.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

func main() {
	if err := run(); err != nil {
		fail(err)
	}
}

// fail ends the process at once, whatever is going on: the runner reports it.
func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func run() error {
	t, err := task.FromEnvironment()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM) //nolint:forbidigo // the root of a process
	defer stop()
	log, err := history.Open(t.History, fail) // now it can be asked to end
	if err != nil {
		return err
	}
	if err := watched(ctx, t, log); err != nil {
		return err
	}
	log.Add(history.Event{Kind: history.ProcessExit, Process: t.Process})
	return log.Close()
}

// watched does the work while the watchdog looks on.
func watched(ctx context.Context, t task.Task, log *history.Log) error {
	watching, end := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	defer watch.Wait()
	defer end()
	watch.Go(func() { task.Watch(watching, t.Process, log) })
	return work(ctx, t, log)
}

func work(ctx context.Context, t task.Task, log *history.Log) error {
	client, err := connect(ctx, t)
	if err != nil {
		log.Add(history.Event{Kind: history.Closing, Process: t.Process})
		return nil // it was asked to end before it could begin
	}
	defer client.Close()
	if t.Role == task.Publishes {
		p := &publisher{task: t, log: log, client: client}
		return p.run(ctx)
	}
	m := &member{task: t, log: log, client: client}
	return m.run(ctx)
}

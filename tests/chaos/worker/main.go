// Worker is a consumer or a publisher in a process of its own, which can be killed,
// paused and cut off. It writes what it does to a history.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
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
	watchClock()
	log, err := history.Open(t.History, fail) // now it can be asked to end
	if err != nil {
		return err
	}
	if err := work(ctx, t, log); err != nil {
		return err
	}
	log.Add(history.Event{Kind: history.ProcessExit, Process: t.Process, Topic: t.Topic, Group: t.Consumer.Group})
	return log.Close()
}

func work(ctx context.Context, t task.Task, log *history.Log) error {
	client, err := connect(ctx, t)
	if err != nil {
		log.Add(history.Event{Kind: history.Closing, Process: t.Process, Topic: t.Topic, Group: t.Consumer.Group})
		return nil // it was asked to end before it could begin
	}
	defer client.Close()
	switch t.Role {
	case task.Publishes:
		p := &publisher{task: t, log: log, client: client}
		return p.run(ctx)
	case task.Requeues:
		q := &requeuer{task: t, log: log, client: client}
		return q.run(ctx)
	default:
		c := &consumer{task: t, log: log, client: client}
		return c.run(ctx)
	}
}

package chaos

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

const (
	// startTimeout is how long all consumers may take to subscribe, on a busy machine.
	startTimeout = 20 * time.Second
	// settleTimeout is how long after the last fault everything may take to be settled.
	settleTimeout = 20 * time.Second
	// exitTimeout is how long a process may take to end, beyond CloseTimeout and the three
	// seconds that the library may take.
	exitTimeout = 8 * time.Second
	// shortest is how long a round publishes at least.
	shortest = 1500 * time.Millisecond
	// afterwards is for how long publishers go on when all faults are over.
	afterwards = 200 * time.Millisecond
)

// round is a plan on a stage.
type round struct {
	*stage
	plan    Plan
	workers Workers
}

// Result is what a round leaves.
type Result struct {
	Plan    Plan
	History []history.Event
	File    string        // the history
	Trouble []string      // what is wrong whatever the history says
	Settled time.Duration // how long it took after the last fault
}

// Round runs a plan and returns what happened. The files of the processes are in dir. An
// error is one of the harness.
func Round(tb testing.TB, w Workers, p Plan, dir string) (Result, error) {
	tb.Helper()
	s, err := newStage(tb, dir, p.topic())
	if err != nil {
		return Result{}, err
	}
	r := &round{stage: s, plan: p, workers: w}
	result, err := r.run()
	return result, errors.Join(err, s.keep())
}

func (r *round) run() (result Result, err error) {
	r.tb.Helper()
	result = Result{Plan: r.plan, File: filepath.Join(r.dir, "history")}
	if err := r.open(); err != nil {
		return result, err
	}
	if err := r.play(); err != nil {
		return result, err
	}
	if result.Settled, err = r.finish(); err != nil {
		return result, err
	}
	r.strike()
	result.Trouble = r.allTroubles()
	if result.History, err = history.ReadAll(r.dir); err != nil {
		return result, err
	}
	return result, history.Write(result.File, result.History)
}

// open starts everybody. Publishers come when all consumers have subscribed, so that the groups
// exist and what fan-out subscriptions have to get is known.
func (r *round) open() error {
	r.tb.Helper()
	for _, m := range slices.Concat(r.plan.Groups, r.plan.FanOut) {
		for i := range m.Count {
			if err := r.add(consumerName(m.Group, i), r.binary(), r.consumer(m, i)); err != nil {
				return err
			}
		}
	}
	if !r.await(startTimeout, r.allSubscribed) {
		return fmt.Errorf("%w: not all consumers have subscribed", errStuck)
	}
	for i := range r.plan.Publishers {
		t := task.Task{Role: task.Publishes, Seed: r.plan.Seed + uint64(1000*(i+1)), Publisher: r.plan.Publisher}
		if i > 0 {
			t.Publisher.Killer = 0
		}
		if err := r.add(publisherName(i), r.workers.Plain, t); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) consumer(m Members, i int) task.Task {
	c := task.Consumer{
		Group: m.Group, MaxInFlight: m.MaxInFlight, MinIdle: minIdle, CloseTimeout: r.plan.CloseTimeout,
		MaxDeliveries: m.MaxDeliveries, ReturnToGroup: m.ReturnToGroup, Takes: m.Takes,
	}
	if m.Named {
		c.Name = consumerName(m.Group, i)
	}
	return task.Task{Role: task.Consumes, Seed: r.plan.Seed + uint64(100*(i+1)), Consumer: c}
}

// binary is the plain worker, unless a clock is to jump: the signal for that would end it.
func (r *round) binary() string {
	if slices.ContainsFunc(r.plan.Strikes, func(s Strike) bool { _, ok := s.fault.(clockJump); return ok }) {
		return r.workers.Jumping
	}
	return r.workers.Plain
}

func (r *round) allSubscribed() bool {
	for _, s := range r.slots {
		events, err := history.Read(s.running().task.History)
		if err != nil || !slices.ContainsFunc(events, func(e history.Event) bool { return e.Kind == history.Subscribed }) {
			return false
		}
	}
	return true
}

// finish ends the round in order, and writes down what is left.
func (r *round) finish() (settled time.Duration, err error) {
	if !r.rest(afterwards) {
		return 0, errStuck
	}
	r.end(func(s *slot) bool { return s.task.Role == task.Publishes })
	r.note(history.Event{Kind: history.Quiet, Topic: r.topic})
	begin := time.Now()
	if err := r.publishLast(); err != nil {
		return 0, err
	}
	done := r.await(settleTimeout, r.settled)
	settled = time.Since(begin)
	if done && r.plan.Requeue {
		if err := r.requeue(); err != nil {
			return settled, err
		}
		done = r.await(settleTimeout, r.settled)
	}
	if !done {
		r.noteStillPending()
	}
	r.end(func(s *slot) bool { return s.task.Role == task.Consumes })
	if err := r.collect(); err != nil {
		return settled, err
	}
	r.note(history.Event{Kind: history.RoundEnds, Topic: r.topic})
	return settled, nil
}

// end asks processes to end, and makes those that do not.
func (r *round) end(which func(*slot) bool) {
	var ending []*process
	for _, name := range slices.Sorted(maps.Keys(r.slots)) {
		if s := r.slots[name]; which(s) {
			if err := s.stop(syscall.SIGTERM); err != nil {
				r.trouble("%s: %v", name, err)
			}
			ending = append(ending, s.processes()...)
		}
	}
	gone := func() bool { return !slices.ContainsFunc(ending, (*process).runs) }
	if r.await(r.plan.CloseTimeout+exitTimeout, gone) {
		return
	}
	for _, p := range ending {
		if p.runs() {
			r.trouble("%s did not end in time", p.task.Process)
			_ = p.signal(syscall.SIGQUIT) // prints what its goroutines do
		}
	}
	if !r.await(exitTimeout, gone) {
		r.trouble("nor with SIGQUIT")
	}
}

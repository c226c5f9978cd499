package partitions

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/check"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

const (
	// startTimeout is how long all may take to start, or to come back, on a busy machine.
	startTimeout = 20 * time.Second
	// settleTimeout is how long after the last fault everything may take to be settled.
	settleTimeout = 20 * time.Second
	// exitTimeout is how long a process may take to end, beyond CloseTimeout and the three
	// seconds that the library may take.
	exitTimeout = 8 * time.Second
	// evenTime is how long after the last fault the shares may take to be even.
	evenTime = leaseTTL + time.Second
	// patience is for how much longer it is waited, to tell late from never.
	patience = 5 * time.Second
	// settledTime is for how long they have to be as they are: what was begun before, such as to
	// give a partition up, or commands that were held up, may still come to its end.
	settledTime = 500 * time.Millisecond
	// stillTime is how long the shares are looked at when they are even.
	stillTime = 300 * time.Millisecond
)

// round is a plan on a stage.
type round struct {
	*stage
	plan   Plan
	worker string
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
func Round(tb testing.TB, worker string, p Plan, dir string) (Result, error) {
	tb.Helper()
	s, err := newStage(tb, dir, p.topic())
	if err != nil {
		return Result{}, err
	}
	r := &round{stage: s, plan: p, worker: worker}
	result, err := r.run()
	return result, errors.Join(err, s.keep())
}

func (r *round) run() (result Result, err error) {
	r.tb.Helper()
	result = Result{Plan: r.plan, File: filepath.Join(r.dir, "history")}
	if err := r.open(); err != nil {
		return result, err
	}
	for _, storm := range r.plan.Storms {
		if err := r.play(storm); err != nil {
			return result, err
		}
		if err := r.calm(); err != nil {
			return result, err
		}
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

// open starts everybody. Publishers come first, and the topic has something in it.
func (r *round) open() error {
	r.tb.Helper()
	for i := range r.plan.Publishers {
		t := task.Task{
			Role: task.Publishes, Seed: r.plan.Seed + uint64(1000*(i+1)),
			Publisher: task.Publisher{Keys: r.plan.Keys, Every: r.plan.Every},
		}
		if err := r.place(publisherName(i), r.worker, t).start(); err != nil {
			return err
		}
	}
	for i, n := range r.plan.MaxInFlight {
		slot := r.place(memberName(i), r.worker, task.Task{
			Role: task.Consumes, Seed: r.plan.Seed + uint64(100*(i+1)),
			Member: task.Member{MaxInFlight: n, LeaseTTL: leaseTTL, CloseTimeout: r.plan.CloseTimeout, Takes: r.plan.Takes},
		})
		if i >= r.plan.First {
			continue
		}
		if err := slot.start(); err != nil {
			return err
		}
	}
	return r.assemble()
}

// assemble waits until all who are wanted are there, and nobody else.
func (r *round) assemble() error {
	complete := func() bool {
		for _, s := range r.slots {
			for _, p := range s.processes() {
				if p != s.running() && p.runs() || p == s.running() && !hasSubscribed(p) {
					return false
				}
			}
		}
		return true
	}
	if r.await(startTimeout, complete) {
		return nil
	}
	r.end(func(*slot) bool { return true }) // shows who hangs
	return fmt.Errorf("%w: not all members have come, or gone: %v", errStuck, r.allTroubles())
}

func hasSubscribed(p *process) bool {
	events, err := history.Read(p.task.History)
	return err == nil && slices.ContainsFunc(events, func(e history.Event) bool { return e.Kind == history.Subscribed })
}

// calm is a time without faults, in which the shares have to become even, and stay.
func (r *round) calm() error {
	if err := r.assemble(); err != nil {
		return err
	}
	r.note(history.Event{Kind: task.Calm})
	begin := time.Now()
	var s standing
	var err error
	var since time.Time // when the shares were first seen as they are, and even
	r.await(evenTime+settledTime+patience, func() bool {
		before := s
		if s, err = r.standing(); err != nil || check.Uneven(r.living(), s.byPartition(), s.shares) != "" {
			since = time.Time{}
			return false
		}
		if since.IsZero() || !slices.Equal(before.owners, s.owners) {
			since = time.Now()
		}
		return time.Since(since) >= settledTime
	})
	if err != nil {
		return err
	}
	r.noteStanding(s)
	if !r.pass(max(time.Until(begin.Add(evenTime+settledTime)), stillTime)) {
		return errStuck
	}
	if s, err = r.standing(); err != nil {
		return err
	}
	r.noteStanding(s)
	return nil
}

// living are the processes of the members that are wanted.
func (r *round) living() []string {
	var names []string
	for _, s := range r.some((*slot).isMember) {
		if p := s.running(); p != nil {
			names = append(names, p.task.Process)
		}
	}
	return names
}

// byPartition are the owners as the leases say.
func (s standing) byPartition() []string {
	owners := make([]string, len(s.owners))
	for i, l := range s.owners {
		owners[i] = l.process
	}
	return owners
}

// noteStanding writes down who has what.
func (r *round) noteStanding(s standing) {
	r.note(history.Event{Kind: task.Look, Entries: r.living()})
	for i, l := range s.owners {
		r.note(history.Event{Kind: task.Owner, Partition: i, Process: l.process, Epoch: l.epoch})
	}
	for process, share := range s.shares {
		r.note(history.Event{Kind: task.Share, Process: process, Entries: share})
	}
}

// finish ends the round in order, and writes down what is left.
func (r *round) finish() (settled time.Duration, err error) {
	r.end(func(s *slot) bool { return !s.isMember() })
	r.note(history.Event{Kind: history.Quiet})
	begin := time.Now()
	done := r.await(settleTimeout, func() bool {
		for i := range task.Partitions {
			if !r.isDone(i) {
				return false
			}
		}
		return true
	})
	settled = time.Since(begin)
	if !done {
		r.noteStillPending()
	}
	if err := r.calm(); err != nil {
		return settled, err
	}
	r.end((*slot).isMember)
	if err := r.collect(); err != nil {
		return settled, err
	}
	if err := r.noteWrites(); err != nil {
		return settled, err
	}
	r.note(history.Event{Kind: history.RoundEnds})
	return settled, nil
}

func (r *round) noteStillPending() {
	for i := range task.Partitions {
		pending, err := r.pending(i)
		if err != nil {
			r.trouble("what is pending in %d: %v", i, err)
		}
		for _, p := range pending {
			r.note(history.Event{Kind: history.StillPending, Partition: i, Entry: p.id, Target: p.consumer, Deliveries: p.count})
		}
	}
}

// collect writes down what is in the streams.
func (r *round) collect() error {
	for i := range task.Partitions {
		entries, err := r.entries(i)
		if err != nil {
			return err
		}
		for n, e := range entries {
			r.note(history.Event{
				Kind: history.InStream, Partition: i, Entry: e.id, UUID: e.fields[redisstream.UUIDField], Text: strconv.Itoa(n),
			})
		}
	}
	return nil
}

// end asks processes to end, and makes those that do not.
func (r *round) end(which func(*slot) bool) {
	var ending []*process
	for _, s := range r.some(which) {
		if err := s.stop(syscall.SIGTERM); err != nil {
			r.trouble("%s: %v", s.name, err)
		}
		ending = append(ending, s.processes()...)
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

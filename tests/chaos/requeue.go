package chaos

import (
	"fmt"

	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// requeue has dead letters put back in all groups.
func (r *round) requeue() error {
	r.tb.Helper()
	var all []*slot
	for i, m := range r.plan.Groups {
		t := task.Task{Role: task.Requeues, Seed: r.plan.Seed + uint64(10_000*(i+1)), Consumer: task.Consumer{Group: m.Group}}
		t.Removes = len(r.plan.Groups) == 1 // another group may have put the same entry back
		s := r.place("requeuer-"+m.Group, r.workers.Plain, t)
		if err := s.startOnce(); err != nil {
			return err
		}
		all = append(all, s)
	}
	for _, s := range all {
		if !r.await(startTimeout, func() bool { return !s.running().runs() }) {
			return fmt.Errorf("%w: %s", errStuck, s.name)
		}
	}
	return nil
}

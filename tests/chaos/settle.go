package chaos

import (
	"slices"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// lastUUID is the message that the runner publishes when all faults are over. It shows that
// everything goes on, and a fan-out subscription that has acked it has seen all before it.
const lastUUID = "runner/last"

func (r *round) publishLast() error {
	e := history.Event{Kind: history.Publishing, Topic: r.topic, UUID: lastUUID}
	r.note(e)
	id, err := r.publish(lastUUID, task.Last.Payload(lastUUID, 0))
	e.Kind, e.Entry = history.Published, id
	if err == nil {
		r.note(e)
	}
	return err
}

// settled reports whether all groups are done with all entries, and fan-out subscriptions have
// come to the last one. What is not known does not count as done.
func (r *round) settled() bool {
	last, err := r.lastID()
	if err != nil {
		return false
	}
	groups, err := r.groups()
	if err != nil {
		return false
	}
	for _, m := range r.plan.Groups {
		info := groups[m.Group]
		if info["pending"] != "0" || info["last-delivered-id"] != last {
			return false
		}
	}
	for i := range r.plan.FanOut {
		if !ackedLast(r.slots[consumerName("", i)]) {
			return false
		}
	}
	return true
}

func ackedLast(s *slot) bool {
	events, err := history.Read(s.running().task.History)
	return err == nil && slices.ContainsFunc(events, func(e history.Event) bool {
		return e.Kind == history.Acking && e.UUID == lastUUID
	})
}

func (r *round) noteStillPending() {
	for _, m := range r.plan.Groups {
		pending, err := r.pending(m.Group)
		if err != nil {
			r.trouble("what is pending in %s: %v", m.Group, err)
		}
		for _, p := range pending {
			r.note(history.Event{
				Kind: history.StillPending, Topic: r.topic, Group: m.Group,
				Entry: p.id, Target: p.consumer, Deliveries: p.count,
			})
		}
	}
}

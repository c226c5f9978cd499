package chaos

import (
	"fmt"
	"strconv"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// collect writes down what the server has at the end.
func (r *round) collect() error {
	entries, err := r.entries(r.topic, "+")
	if err != nil {
		return err
	}
	for _, e := range entries {
		r.note(history.Event{
			Kind: history.InStream, Topic: r.topic, Entry: e.id, UUID: e.fields[redisstream.UUIDField],
		})
	}
	for _, m := range r.plan.Groups {
		if err := r.collectLetters(m.Group); err != nil {
			return err
		}
		if err := r.collectConsumers(m.Group); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) collectLetters(group string) error {
	letters, err := r.entries(fmt.Sprintf("{%s}:dead:%s", r.topic, group), "+")
	if err != nil {
		return err
	}
	for _, l := range letters {
		deliveries, err := strconv.ParseInt(l.fields[redisstream.DeadDeliveriesField], 10, 64)
		if err != nil {
			r.trouble("dead letter %s of %s: %v", l.id, group, err)
		}
		r.note(history.Event{
			Kind: history.DeadLettered, Topic: r.topic, Group: l.fields[redisstream.DeadGroupField],
			UUID: l.fields[redisstream.UUIDField], Entry: l.fields[redisstream.DeadEntryIDField],
			Deliveries: deliveries, Text: l.fields[redisstream.DeadReasonField],
		})
	}
	return nil
}

// collectConsumers finds no group where it was destroyed and nobody restored it; that is seen by
// what is not settled.
func (r *round) collectConsumers(group string) error {
	groups, err := r.groups()
	if err != nil || groups[group] == nil {
		return err
	}
	consumers, err := r.consumers(group)
	if err != nil {
		return err
	}
	for _, c := range consumers {
		r.note(history.Event{
			Kind: history.LeftBehind, Topic: r.topic, Group: group, Target: c["name"], Text: c["pending"],
		})
	}
	return nil
}

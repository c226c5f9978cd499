package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

const (
	topic = "orders"
	group = "billing"
)

// tale makes a history, step by step: each comes ten milliseconds after the one
// before. Message "7" is entry "7-0". Processes whose names begin with "f" have no
// group.
type tale struct {
	now       time.Duration
	events    []history.Event
	published []string
	removed   []string
	handOuts  map[[2]string]int64
}

func newTale() *tale { return &tale{now: time.Minute, handOuts: map[[2]string]int64{}} }

func (t *tale) add(e history.Event) *tale {
	t.now += 10 * time.Millisecond
	e.At = int64(t.now)
	if e.Topic == "" {
		e.Topic = topic
	}
	t.events = append(t.events, e)
	return t
}

func (t *tale) wait(d time.Duration) *tale {
	t.now += d
	return t
}

// publish publishes messages, one after the other.
func (t *tale) publish(ids ...string) *tale {
	for _, id := range ids {
		t.add(history.Event{Kind: history.Publishing, Process: "p", UUID: id})
		t.add(history.Event{Kind: history.Published, Process: "p", UUID: id, Entry: id + "-0"})
		t.published = append(t.published, id)
	}
	return t
}

// process has something happen to processes.
func (t *tale) process(kind history.Kind, names ...string) *tale {
	for _, name := range names {
		t.add(history.Event{Kind: kind, Process: name, Group: groupOf(name)})
	}
	return t
}

// deliver hands out a message, with the right count.
func (t *tale) deliver(process, id string) *tale {
	key := [2]string{groupOf(process), id}
	if key[0] == "" {
		key[0] = process
	}
	t.handOuts[key]++
	return t.counted(process, id, t.handOuts[key])
}

func (t *tale) counted(process, id string, deliveries int64) *tale {
	return t.add(history.Event{Kind: history.Delivered, Process: process, Group: groupOf(process), UUID: id, Entry: id + "-0", Deliveries: deliveries})
}

// says has a handler settle a message.
func (t *tale) says(process, id string, kind history.Kind) *tale {
	return t.add(history.Event{Kind: kind, Process: process, Group: groupOf(process), UUID: id, Entry: id + "-0"})
}

// handle delivers and acks.
func (t *tale) handle(process string, ids ...string) *tale {
	for _, id := range ids {
		t.deliver(process, id).says(process, id, history.Acking)
	}
	return t
}

func (t *tale) told(process, id string) *tale {
	return t.add(history.Event{
		Kind: history.ContextEnd, Process: process, Group: group, UUID: id, Entry: id + "-0", Text: redisstream.ErrLeaseLost.Error(),
	})
}

func (t *tale) fault(target, name string, d time.Duration) *tale {
	t.add(history.Event{Kind: history.FaultBegins, Target: target, Text: name}).wait(d)
	return t.add(history.Event{Kind: history.FaultEnds, Target: target, Text: name})
}

func (t *tale) pause(process string, d time.Duration) *tale {
	return t.process(history.Paused, process).wait(d).process(history.Resumed, process)
}

func (t *tale) flush() *tale {
	t.removed = slices.Clone(t.published)
	return t.add(history.Event{Kind: history.Flushed})
}

func (t *tale) trim(ids ...string) *tale {
	e := history.Event{Kind: history.Trimmed}
	for _, id := range ids {
		e.Entries = append(e.Entries, id+"-0")
	}
	t.removed = append(t.removed, ids...)
	return t.add(e)
}

func (t *tale) destroy() *tale {
	return t.add(history.Event{Kind: history.GroupDestroyed, Group: group})
}

func (t *tale) requeue(id string) *tale {
	t.handOuts[[2]string{group, id}] = 0
	return t.add(history.Event{Kind: history.Requeued, Group: group, UUID: id, Entry: id + "-0"})
}

func (t *tale) letter(id string, deliveries int64) *tale {
	return t.add(history.Event{Kind: history.DeadLettered, Group: group, UUID: id, Entry: id + "-0", Deliveries: deliveries})
}

func (t *tale) quiet() *tale { return t.add(history.Event{Kind: history.Quiet}) }

// over ends the round: what was published and not removed is in the stream.
func (t *tale) over() []history.Event {
	for _, id := range t.published {
		if !slices.Contains(t.removed, id) {
			t.add(history.Event{Kind: history.InStream, UUID: id, Entry: id + "-0"})
		}
	}
	return t.add(history.Event{Kind: history.RoundEnds}).events
}

func groupOf(process string) string {
	if strings.HasPrefix(process, "f") {
		return ""
	}
	return group
}

// story is a tale and the rules that it breaks.
type example struct {
	name   string
	tale   *tale
	change func(*Options)
	breaks []string
}

func promised() Options {
	return Options{
		MinIdle: 3 * time.Second, CloseTimeout: time.Second, LiveBound: 10 * time.Second,
		Groups: []Group{{Topic: topic, Name: group}, {Topic: topic}},
	}
}

// judged checks that each example breaks exactly the rules that it should.
func judged(t *testing.T, examples []example) {
	t.Helper()
	for _, x := range examples {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			o := promised()
			if x.change != nil {
				x.change(&o)
			}
			var broken []string
			violations := Judge(x.tale.over(), o)
			for _, v := range violations {
				if !slices.Contains(broken, v.Rule) {
					broken = append(broken, v.Rule)
				}
			}
			assert.ElementsMatch(t, x.breaks, broken, "%v", violations)
		})
	}
}

// start has a publisher and two members of the group, and three messages.
func start() *tale { return newTale().process(history.Subscribed, "a", "b").publish("1", "2", "3") }

// alone has one member.
func alone() *tale { return newTale().process(history.Subscribed, "a").publish("1", "2", "3") }

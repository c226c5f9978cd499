package check

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// tale makes a history, step by step: each comes ten milliseconds after the one before, and the
// wall clock shows the same. Message "k7" has key k and number 7, and is entry "7-0" of
// partition 0. Processes are "a.1", "b.1" and so on, by their letters.
type tale struct {
	now    time.Duration
	events []history.Event
	stream []string
	server []history.Event // what it did
	epochs map[string]int64
	counts map[string]int64    // of deliveries
	has    map[[2]string]int64 // the same, as a process knows it
}

func newTale() *tale {
	t := &tale{now: time.Minute, epochs: map[string]int64{}, counts: map[string]int64{}, has: map[[2]string]int64{}}
	return t.add(history.Event{Kind: task.Clock, Epoch: int64((time.Minute + step) / time.Millisecond)})
}

const step = 10 * time.Millisecond

func (t *tale) add(e history.Event) *tale {
	t.now += step
	e.At = int64(t.now)
	t.events = append(t.events, e)
	return t
}

func (t *tale) wait(d time.Duration) *tale {
	t.now += d
	return t
}

func full(process string) string {
	if process == "" {
		return ""
	}
	return process + ".1"
}

// is has something happen to a process.
func (t *tale) is(kind history.Kind, process string) *tale {
	return t.add(history.Event{Kind: kind, Process: full(process)})
}

// pause is one of which the process writes, too.
func (t *tale) pause(process string, d time.Duration) *tale {
	return t.is(history.Paused, process).wait(d).is(history.Resumed, process)
}

// stall is a time in which the process got no time.
func (t *tale) stall(process string, d time.Duration) *tale {
	return t.wait(d).add(history.Event{Kind: task.Stalled, Process: full(process), Text: d.String()})
}

// grant gives the partition to a process.
func (t *tale) grant(process string) *tale {
	t.now += step
	t.epochs[process] = int64(t.now / time.Millisecond)
	t.server = append(t.server, history.Event{Kind: task.Granted, Process: full(process), Epoch: t.epochs[process]})
	return t
}

// publish publishes messages, one after the other.
func (t *tale) publish(ids ...string) *tale {
	for _, id := range ids {
		t.add(history.Event{Kind: history.Publishing, Process: "p.1", UUID: uuid(id)})
		t.add(history.Event{Kind: history.Published, Process: "p.1", UUID: uuid(id), Entry: entryOf(id)})
		t.stream = append(t.stream, id)
	}
	return t
}

func uuid(id string) string { return id[:1] + "/" + id[1:] }

func entryOf(id string) string { return id[1:] + "-0" }

// deliver hands out messages.
func (t *tale) deliver(process string, ids ...string) *tale {
	for _, id := range ids {
		t.counts[id]++
		t.has[[2]string{process, id}] = t.counts[id]
		t.says(history.Delivered, process, id)
	}
	return t
}

// says has the handler of a message say something.
func (t *tale) says(kind history.Kind, process, id string) *tale {
	return t.add(history.Event{
		Kind: kind, Process: full(process), UUID: uuid(id), Entry: entryOf(id), Epoch: t.epochs[process],
		Deliveries: t.has[[2]string{process, id}],
	})
}

func (t *tale) ack(process, id string) *tale { return t.says(history.Acking, process, id) }

func (t *tale) nack(process, id string) *tale { return t.says(history.Nacking, process, id) }

func (t *tale) told(process, id string) *tale { return t.says(history.ContextEnd, process, id) }

// handle delivers and acks.
func (t *tale) handle(process string, ids ...string) *tale {
	for _, id := range ids {
		t.deliver(process, id).ack(process, id)
	}
	return t
}

func (t *tale) cutOff(process string) *tale {
	return t.add(history.Event{Kind: history.FaultBegins, Process: full(process), Text: "cut off"})
}

// serverAcks has the server ack.
func (t *tale) serverAcks(ids ...string) *tale {
	e := history.Event{Kind: task.Acked}
	for _, id := range ids {
		e.Entries = append(e.Entries, entryOf(id))
	}
	t.server = append(t.server, e)
	return t
}

// over ends the round: what was published is in the stream.
func (t *tale) over() []history.Event {
	for i, id := range t.stream {
		t.add(history.Event{Kind: history.InStream, UUID: uuid(id), Entry: entryOf(id), Text: strconv.Itoa(i)})
	}
	for _, e := range t.server {
		t.add(e)
	}
	return t.is(history.RoundEnds, "").events
}

// example is a tale and the rules that it breaks.
type example struct {
	name   string
	tale   *tale
	change func(*Options)
	breaks []string
}

func promised() Options {
	return Options{
		Partitions: 1, LeaseTTL: time.Second, CloseTimeout: time.Second,
		LiveBound: 10 * time.Second, EvenBound: 2 * time.Second, CutOff: []string{"cut off"},
	}
}

// keyedA has process a handle several keys at once.
func keyedA(o *Options) { o.MaxInFlight = map[string]int{"a": 8} }

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
			report := Judge(x.tale.over(), o)
			for _, v := range report.Violations {
				if !slices.Contains(broken, v.Rule) {
					broken = append(broken, v.Rule)
				}
			}
			assert.ElementsMatch(t, x.breaks, broken, "%v", report.Violations)
		})
	}
}

// start has five messages of a key, and a has the partition.
func start() *tale { return newTale().publish("k1", "k2", "k3", "k4", "k5").grant("a") }

// taken is when a crashed and b has the partition.
func taken(t *tale) *tale { return t.is(history.Killed, "a").wait(time.Second).grant("b") }

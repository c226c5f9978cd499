package check

import (
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	judged(t, []example{
		{name: "in order", tale: start().handle("a", "k1", "k2", "k3", "k4", "k5")},
		{name: "a gap", tale: start().handle("a", "k1", "k3", "k2", "k4", "k5"), breaks: []string{"order"}},
		{name: "backwards after an ack", tale: start().handle("a", "k1", "k2", "k1", "k2", "k3", "k4", "k5"), breaks: []string{"order"}},
		{name: "again after an ack", tale: start().handle("a", "k1", "k1", "k2", "k3", "k4", "k5"), breaks: []string{"order"}},
		{name: "again after a nack", tale: start().deliver("a", "k1").nack("a", "k1").handle("a", "k1", "k2", "k3", "k4", "k5")},
		{
			name: "the next one after a nack", breaks: []string{"order"},
			tale: start().deliver("a", "k1").nack("a", "k1").handle("a", "k2", "k1", "k2", "k3", "k4", "k5"),
		},
		{name: "taken over", tale: taken(start().handle("a", "k1", "k2")).handle("b", "k3", "k4", "k5")},
		{name: "repeated from what was acked last", tale: taken(start().handle("a", "k1", "k2")).handle("b", "k1", "k2", "k3", "k4", "k5")},
		{
			name: "X, X+1, X, X+2", breaks: []string{"order"},
			tale: taken(start().handle("a", "k1", "k2")).handle("b", "k1", "k3", "k4", "k5"),
		},
		{
			name: "X, X+1 not acked, X+2", breaks: []string{"order"},
			tale: taken(start().handle("a", "k1").deliver("a", "k2")).handle("b", "k3", "k2", "k4", "k5"),
		},
		{name: "taken over behind what nobody got", tale: taken(start().handle("a", "k1")).handle("b", "k3", "k2", "k4", "k5"), breaks: []string{"order"}},
		{
			name: "taken over behind what was nacked", breaks: []string{"order"},
			tale: taken(start().deliver("a", "k1").nack("a", "k1")).handle("b", "k2", "k1", "k3", "k4", "k5"),
		},
		{name: "the same member again", tale: start().handle("a", "k1").deliver("a", "k2").told("a", "k2").nack("a", "k2").grant("a").handle("a", "k2", "k3", "k4", "k5")},
	})
}

func TestOrderOfAPartitionIsKeptWithOneInFlight(t *testing.T) {
	t.Parallel()
	two := func() *tale { return newTale().publish("k1", "j2", "k3").grant("a") }
	judged(t, []example{
		{name: "in order", tale: two().handle("a", "k1", "j2", "k3")},
		{name: "keys in order, one at a time", tale: two().handle("a", "k1", "k3", "j2"), breaks: []string{"order"}},
		{name: "keys in order, several at once", tale: two().handle("a", "k1", "k3", "j2"), change: keyedA},
		{name: "keys not in order, several at once", tale: two().handle("a", "k3", "k1", "j2"), change: keyedA, breaks: []string{"order"}},
		{name: "taken over behind a key's", tale: taken(two().deliver("a", "k1", "j2").ack("a", "j2")).handle("b", "k1", "k3"), change: keyedA},
	})
}

func TestWhatIsLostIsReported(t *testing.T) {
	t.Parallel()
	all := func() *tale { return start().handle("a", "k1", "k2", "k3", "k4") }
	judged(t, []example{
		{name: "nothing", tale: all().handle("a", "k5")},
		{name: "never handed out", tale: all(), breaks: []string{"lost"}},
		{name: "not acked", tale: all().deliver("a", "k5"), breaks: []string{"lost"}},
		{name: "nacked", tale: all().deliver("a", "k5").nack("a", "k5"), breaks: []string{"lost"}},
		{name: "of an unknown outcome and in the stream", tale: unknown(all().handle("a", "k5"), "k6"), breaks: []string{"lost"}},
		{name: "pending", tale: all().handle("a", "k5").add(history.Event{Kind: history.StillPending, Entry: "5-0"}), breaks: []string{"lost"}},
		{name: "handed out and not there", tale: all().handle("a", "k5", "k6"), breaks: []string{"lost"}},
		{name: "late", tale: all().is(history.Quiet, "").wait(11*time.Second).handle("a", "k5"), breaks: []string{"live"}},
		{name: "in time", tale: all().is(history.Quiet, "").wait(9*time.Second).handle("a", "k5")},
	})
}

// unknown publishes a message of which nobody knows that it is in the stream.
func unknown(t *tale, id string) *tale {
	t.stream = append(t.stream, id)
	return t.add(history.Event{Kind: history.PublishFailed, UUID: uuid(id), Text: "unknown: closed"})
}

func TestAcksOfWhoHasLostThePartitionDoNotCount(t *testing.T) {
	t.Parallel()
	// a has k1 when it is paused, and b gets the partition.
	zombie := func() *tale {
		return start().deliver("a", "k1").is(history.Paused, "a").wait(time.Second).grant("b")
	}
	back := func(t *tale) *tale { return t.is(history.Resumed, "a").told("a", "k1").ack("a", "k1") }
	judged(t, []example{
		{name: "it comes again", tale: back(zombie().deliver("b", "k1")).ack("b", "k1").handle("b", "k2", "k3", "k4", "k5")},
		{name: "skipped at once", tale: back(zombie()).handle("b", "k2", "k3", "k4", "k5"), breaks: []string{"fenced"}},
		{
			name: "skipped by the next one", breaks: []string{"fenced"},
			tale: back(zombie().deliver("b", "k1")).is(history.Killed, "b").wait(time.Second).grant("c").handle("c", "k2", "k3", "k4", "k5"),
		},
		{
			name: "acked before, and pending for the next one", breaks: []string{"fenced"},
			tale: taken(start().handle("a", "k1")).deliver("b", "k1").is(history.Killed, "b").wait(time.Second).grant("c").handle("c", "k2", "k3", "k4", "k5"),
		},
		{
			name: "the last one, and it did not come again", breaks: []string{"fenced"},
			tale: taken(start().handle("a", "k1", "k2", "k3", "k4", "k5")).deliver("b", "k5"),
		},
	})
}

func TestEpochsAreReported(t *testing.T) {
	t.Parallel()
	rest := func(t *tale) *tale { return t.handle("b", "k1", "k2", "k3", "k4", "k5") }
	// moved is when b has got the partition and used it.
	moved := func(t *tale) *tale { return t.grant("b").deliver("b", "k1").ack("b", "k1") }
	last := func(t *tale) *tale { return t.handle("b", "k2", "k3", "k4", "k5") }
	same := start()
	same.epochs["b"] = same.epochs["a"]
	early := start()
	early.epochs["a"] += 1000
	judged(t, []example{
		{name: "two processes with one epoch", tale: rest(same.deliver("a", "k1").told("a", "k1").nack("a", "k1")), breaks: []string{"epochs", "fenced"}},
		{name: "used before it was granted", tale: early.handle("a", "k1", "k2", "k3", "k4", "k5"), breaks: []string{"epochs"}},
		{name: "an old one goes on", tale: last(moved(start()).handle("a", "k1")), breaks: []string{"epochs"}},
		{name: "an old one goes on, after its pause", tale: last(moved(start()).pause("a", time.Second).handle("a", "k1"))},
		{name: "with a second message", tale: last(moved(start()).pause("a", time.Second).handle("a", "k1", "k2")), breaks: []string{"epochs"}},
		{name: "with a second message of several", tale: last(moved(start()).pause("a", time.Second).handle("a", "k1", "k2")), change: keyedA},
		{name: "long after its pause", tale: last(moved(start()).pause("a", time.Second).wait(time.Second).handle("a", "k1")), breaks: []string{"epochs"}},
		{name: "it got no time", tale: last(moved(start()).stall("a", 60*time.Millisecond).handle("a", "k1"))},
		{name: "it is cut off", tale: last(moved(start().cutOff("a")).handle("a", "k1")), breaks: []string{"epochs"}},
		{name: "another one was paused", tale: last(moved(start()).pause("b", time.Second).handle("a", "k1")), breaks: []string{"epochs"}},
		{name: "nobody has used the new one", tale: rest(start().grant("b").wait(time.Second).handle("a", "k1")), breaks: []string{"epochs"}},
	})
}

func TestWhatTheServerDidIsJudged(t *testing.T) {
	t.Parallel()
	two := func() *tale { return newTale().publish("k1", "j2", "k3").grant("a") }
	all := func() *tale { return two().handle("a", "k1", "j2", "k3") }
	// late is when a's acks come after b was granted the partition.
	late := func() *tale { return taken(all()).serverAcks("k1") }
	judged(t, []example{
		{name: "acked in order", tale: all().serverAcks("k1").serverAcks("j2", "k3")},
		{name: "a later one first", tale: all().serverAcks("j2").serverAcks("k1").serverAcks("k3"), breaks: []string{"prefix"}},
		{name: "a later one first, of another key", tale: all().serverAcks("j2").serverAcks("k1", "k3"), change: keyedA},
		{name: "a later one of the key first", tale: all().serverAcks("k3").serverAcks("k1", "j2"), change: keyedA, breaks: []string{"prefix"}},
		{name: "of an older session", tale: late().handle("b", "j2", "k3"), breaks: []string{"fenced"}},
		{name: "of an older session, while the newer has it", tale: late().handle("b", "k1", "j2", "k3")},
		{name: "before the handler could", tale: taken(two().handle("a", "k1").deliver("a", "j2").serverAcks("j2")).handle("b", "j2", "k3"), breaks: []string{"fenced", "prefix"}},
		{name: "what nobody has published", tale: all().serverAcks("k1", "j2", "k3").serverAcks("k4"), breaks: []string{"fenced"}},
		{name: "an epoch twice", tale: all().again("a"), breaks: []string{"epochs"}},
	})
	strange := two()
	strange.server = nil
	judged(t, []example{{name: "an epoch that was not granted", tale: strange.handle("a", "k1", "j2", "k3"), breaks: []string{"epochs"}}})
}

// again grants the same epoch once more.
func (t *tale) again(process string) *tale {
	t.server = append(t.server, history.Event{Kind: task.Granted, Process: full(process), Epoch: t.epochs[process]})
	return t
}

func TestTwoHandlersAreReported(t *testing.T) {
	t.Parallel()
	// both is when b begins with what a has.
	both := func(t *tale) *tale { return t.wait(time.Second).grant("b").deliver("b", "k1") }
	rest := func(t *tale) *tale { return t.ack("b", "k1").handle("b", "k2", "k3", "k4", "k5") }
	has := func() *tale { return start().deliver("a", "k1") }
	judged(t, []example{
		{name: "two members", tale: rest(both(has()).ack("a", "k1")), breaks: []string{"exclusive"}},
		{name: "to the end", tale: rest(both(has())), breaks: []string{"exclusive"}},
		{name: "told too late", tale: rest(both(has()).told("a", "k1").nack("a", "k1")), breaks: []string{"exclusive"}},
		{name: "told in time", tale: rest(both(has().told("a", "k1")).nack("a", "k1"))},
		{name: "killed", tale: rest(both(has().is(history.Killed, "a")))},
		{name: "ended", tale: rest(both(has().is(history.ProcessExit, "a")))},
		{name: "cut off", tale: rest(both(has().cutOff("a"))), breaks: []string{"exclusive"}},
		{name: "paused", tale: rest(both(has().is(history.Paused, "a")).is(history.Resumed, "a").told("a", "k1").nack("a", "k1"))},
		{
			name: "paused, and not told when it was back", breaks: []string{"exclusive"},
			tale: rest(both(has().is(history.Paused, "a")).is(history.Resumed, "a").wait(time.Second).told("a", "k1").nack("a", "k1")),
		},
		{name: "paused before", tale: rest(both(has().pause("a", time.Second))), breaks: []string{"exclusive"}},
		{name: "it got no time", tale: rest(has().wait(time.Second).stall("a", 60*time.Millisecond).grant("b").deliver("b", "k1").told("a", "k1").nack("a", "k1"))},
		{
			name: "of one session", breaks: []string{"exclusive"},
			tale: has().deliver("a", "k2").ack("a", "k1").ack("a", "k2").handle("a", "k3", "k4", "k5"),
		},
		{
			name: "of one session and key", breaks: []string{"exclusive"}, change: keyedA,
			tale: has().deliver("a", "k2").ack("a", "k1").ack("a", "k2").handle("a", "k3", "k4", "k5"),
		},
		{
			name: "of one session, with other keys", change: keyedA,
			tale: newTale().publish("k1", "j2").grant("a").deliver("a", "k1", "j2").ack("a", "k1").ack("a", "j2"),
		},
		{
			name: "of two sessions, with other keys", change: keyedA, breaks: []string{"exclusive"},
			tale: newTale().publish("k1", "j2").grant("a").deliver("a", "k1").handle("a", "j2").wait(time.Second).grant("b").deliver("b", "k1").ack("a", "k1").ack("b", "k1"),
		},
		{
			name: "of two sessions of a process", breaks: []string{"exclusive"},
			tale: has().grant("a").deliver("a", "k1").ack("a", "k1").handle("a", "k2", "k3", "k4", "k5"),
		},
	})
}

func TestStreamsHaveWhatWasPublished(t *testing.T) {
	t.Parallel()
	all := func() *tale { return start().handle("a", "k1", "k2", "k3", "k4", "k5") }
	judged(t, []example{
		{name: "published and not there", tale: all().add(history.Event{Kind: history.Published, UUID: uuid("k6"), Entry: "6-0"}), breaks: []string{"published"}},
		{name: "refused and there", tale: all().add(history.Event{Kind: history.PublishFailed, UUID: uuid("k5"), Text: "refused: too large"}), breaks: []string{"published"}},
		{name: "refused", tale: all().add(history.Event{Kind: history.PublishFailed, UUID: uuid("k6"), Text: "refused: too large"})},
		{name: "twice", tale: all().add(history.Event{Kind: history.InStream, UUID: uuid("k5"), Entry: "6-0"}), breaks: []string{"published", "lost"}},
	})
}

func TestEndsAreReported(t *testing.T) {
	t.Parallel()
	all := func() *tale {
		return start().is(history.Subscribed, "a").handle("a", "k1", "k2", "k3", "k4", "k5")
	}
	judged(t, []example{
		{name: "in time", tale: all().is(history.Closing, "a").wait(4*time.Second).is(history.ChannelEnd, "a")},
		{name: "too late", tale: all().is(history.Closing, "a").wait(5*time.Second).is(history.ChannelEnd, "a"), breaks: []string{"ends"}},
		{name: "not at all", tale: all().is(history.Closing, "a").wait(5 * time.Second), breaks: []string{"ends"}},
		{name: "killed meanwhile", tale: all().is(history.Closing, "a").is(history.Killed, "a").wait(5 * time.Second)},
		{name: "paused meanwhile", tale: all().is(history.Closing, "a").pause("a", time.Second).wait(4*time.Second).is(history.ChannelEnd, "a")},
		{name: "unasked", tale: all().is(history.ChannelEnd, "a"), breaks: []string{"ends"}},
		{name: "before it was asked to", tale: all().is(history.ChannelEnd, "a").is(history.Closing, "a"), breaks: []string{"ends"}},
	})
}

package check

import (
	"strconv"
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

func thrice(o *Options) { o.Groups[0].MaxDeliveries = 3 }

func (t *tale) fail(process, id string, times int) *tale {
	for range times {
		t.deliver(process, id).says(process, id, history.Nacking)
	}
	return t
}

func TestWrongCountsAreReported(t *testing.T) {
	t.Parallel()
	two := func() *tale { return start().handle("a", "1", "2") }
	ack := func(h *tale, deliveries int64) *tale {
		return h.counted("b", "3", deliveries).says("b", "3", history.Acking)
	}
	judged(t, []example{
		{name: "one too many", tale: ack(two(), 2), breaks: []string{"count"}},
		{name: "one too many, after a kill", tale: ack(two().process(history.Killed, "a").wait(4*time.Second), 2)},
		{
			name: "one too many, published after a kill", breaks: []string{"count"},
			tale: alone().handle("a", "1", "2", "3").process(history.Killed, "a").process(history.Subscribed, "b").publish("4").counted("b", "4", 2).says("b", "4", history.Acking),
		},
		{name: "two too many, after a kill", tale: ack(two().process(history.Killed, "a").wait(4*time.Second), 3), breaks: []string{"count"}},
		{name: "one too many, after a clean end", tale: ack(two().process(history.Closing, "a").process(history.ChannelEnd, "a").wait(time.Second), 2), breaks: []string{"count"}},
		{name: "one too many, after a long pause", tale: ack(two().pause("a", 4*time.Second), 2)},
		{name: "not counted", tale: ack(two().deliver("b", "3").says("b", "3", history.Nacking), 1), breaks: []string{"count"}},
		{name: "not counted, in a new group", tale: ack(two().deliver("b", "3").says("b", "3", history.Nacking).destroy(), 1)},
		{name: "too often", tale: two().fail("b", "3", 3).handle("b", "3"), change: thrice, breaks: []string{"count", "twice"}},
		{name: "as often as allowed", tale: two().fail("b", "3", 2).handle("b", "3"), change: thrice},
		{
			name: "once more, as its only failure was a kill", change: func(o *Options) { o.Groups[0].MaxDeliveries = 1 },
			tale: two().deliver("a", "3").process(history.Killed, "a").wait(4*time.Second).handle("b", "3"),
		},
	})
}

func TestWrongDeadLettersAreReported(t *testing.T) {
	t.Parallel()
	two := func() *tale { return start().handle("a", "1", "2") }
	judged(t, []example{
		{name: "after three failures", tale: two().fail("b", "3", 3).letter("3", 3), change: thrice},
		{name: "after two failures", tale: two().fail("b", "3", 2).letter("3", 2), change: thrice, breaks: []string{"dead letters"}},
		{
			name: "after two failures and a kill", change: thrice,
			tale: two().fail("b", "3", 2).process(history.Killed, "a").letter("3", 3),
		},
		{name: "without a limit", tale: two().fail("b", "3", 3).letter("3", 3), breaks: []string{"dead letters"}},
		{name: "rejected", tale: two().deliver("b", "3").says("b", "3", history.Rejecting).letter("3", 1)},
		{name: "acked", tale: two().handle("b", "3").letter("3", 1), breaks: []string{"dead letters"}},
		{
			name: "rejected, and acked late by who had lost it",
			tale: two().deliver("a", "3").pause("a", 4*time.Second).deliver("b", "3").says("b", "3", history.Rejecting).
				says("a", "3", history.Acking).letter("3", 2),
		},
		{name: "twice", tale: two().fail("b", "3", 3).letter("3", 3).letter("3", 3), change: thrice, breaks: []string{"dead letters"}},
		{
			name: "twice, as the server refused to ack", change: func(o *Options) { thrice(o); o.Refusals = []string{"refusal"} },
			tale: two().fail("b", "3", 3).fault(history.Server, "refusal", time.Second).letter("3", 3).letter("3", 3),
		},
		{
			name: "rejected twice, with two letters, as the group was destroyed",
			tale: two().deliver("b", "3").says("b", "3", history.Rejecting).wait(time.Second).destroy().
				deliver("b", "3").says("b", "3", history.Rejecting).letter("3", 1).letter("3", 2),
		},
		{name: "with a wrong count", tale: two().deliver("b", "3").says("b", "3", history.Rejecting).letter("3", 2), breaks: []string{"dead letters"}},
		{
			name: "no message",
			tale: alone().handle("a", "1", "2", "3").add(history.Event{Kind: history.InStream, Entry: "4-0"}).
				add(history.Event{Kind: history.DeadLettered, Group: group, Entry: "4-0", Text: "unmarshal"}),
		},
	})
}

func TestMissingDeadLettersAreReported(t *testing.T) {
	t.Parallel()
	rejected := func() *tale {
		return start().handle("a", "1", "2").deliver("b", "3").says("b", "3", history.Rejecting)
	}
	judged(t, []example{
		{name: "rejected", tale: rejected(), breaks: []string{"condemned", "lost"}},
		{name: "rejected and killed", tale: rejected().process(history.Killed, "b").wait(4*time.Second).handle("a", "3")},
		{name: "rejected and trimmed", tale: rejected().trim("3")},
		{name: "failed too often", tale: start().handle("a", "1", "2").fail("b", "3", 3), change: thrice, breaks: []string{"condemned", "lost"}},
		{name: "failed twice", tale: start().handle("a", "1", "2").fail("b", "3", 2).handle("b", "3"), change: thrice},
	})
}

func TestRequeuedMessagesThatGoWrongAreReported(t *testing.T) {
	t.Parallel()
	back := func() *tale {
		return start().handle("a", "1", "2").deliver("b", "3").says("b", "3", history.Rejecting).wait(time.Second).requeue("3")
	}
	other := func(o *Options) { o.Groups = append(o.Groups, Group{Topic: topic, Name: "other"}) }
	elsewhere := func(h *tale, entry string) *tale {
		for id, entry := range []string{1: "1-0", 2: "2-0", 3: entry}[1:] {
			id := strconv.Itoa(id + 1)
			for _, kind := range []history.Kind{history.Delivered, history.Acking} {
				h.add(history.Event{Kind: kind, Process: "o", Group: "other", UUID: id, Entry: entry, Deliveries: 1})
			}
		}
		return h
	}
	copied := func() *tale {
		h := back().trim("3").add(history.Event{Kind: history.InStream, UUID: "3", Entry: "9-0"})
		for _, kind := range []history.Kind{history.Delivered, history.Acking} {
			h.add(history.Event{Kind: kind, Process: "b", Group: group, UUID: "3", Entry: "9-0", Deliveries: 1})
		}
		return h
	}
	judged(t, []example{
		{name: "it comes again", tale: back().handle("b", "3")},
		{name: "as a copy", tale: copied()},
		{name: "it fails again", tale: back().deliver("b", "3").says("b", "3", history.Rejecting).letter("3", 1)},
		{name: "it does not come", tale: back(), breaks: []string{"requeue", "lost"}},
		{name: "it does not come, as it was flushed", tale: back().flush()},
		{name: "it comes with its old count", tale: back().counted("b", "3", 2).says("b", "3", history.Acking), breaks: []string{"requeue", "count"}},
		{name: "it comes twice", tale: back().handle("b", "3").wait(4*time.Second).handle("b", "3"), breaks: []string{"twice"}},
		{name: "a copy comes elsewhere", tale: elsewhere(copied(), "9-0"), breaks: []string{"requeue"}, change: other},
		{name: "a message comes elsewhere once", tale: elsewhere(back().handle("b", "3"), "3-0"), change: other},
	})
}

func TestUnsettledEndsAreReported(t *testing.T) {
	t.Parallel()
	all := func() *tale { return start().handle("a", "1", "2", "3") }
	left := func(h *tale) *tale {
		h.process(history.Closing, "b").process(history.ChannelEnd, "b").quiet()
		return h.add(history.Event{Kind: history.LeftBehind, Group: group, Target: "a", Text: "0"})
	}
	closing := func() *tale { return all().process(history.Closing, "a") }
	judged(t, []example{
		{name: "nothing is pending", tale: all().quiet()},
		{name: "pending", tale: all().quiet().add(history.Event{Kind: history.StillPending, Group: group, Entry: "3-0", Target: "~released"}), breaks: []string{"settled"}},
		{name: "in time", tale: closing().wait(3*time.Second).process(history.ChannelEnd, "a")},
		{name: "too late", tale: closing().wait(5*time.Second).process(history.ChannelEnd, "a"), breaks: []string{"ends"}},
		{name: "never", tale: closing().wait(5 * time.Second), breaks: []string{"ends"}},
		{name: "stopped meanwhile", tale: closing().pause("a", 5*time.Second).process(history.ChannelEnd, "a")},
		{name: "killed meanwhile", tale: closing().process(history.Killed, "a").wait(9 * time.Second)},
		{name: "of itself", tale: all().process(history.ChannelEnd, "a"), breaks: []string{"ends"}},
		{name: "a consumer is left", tale: left(closing().process(history.ChannelEnd, "a")), breaks: []string{"left behind"}},
		{name: "the consumer of a killed process is left", tale: left(all().process(history.Killed, "a"))},
		{name: "settled in time", tale: start().handle("a", "1", "2").quiet().wait(9*time.Second).handle("a", "3")},
		{name: "settled too late", tale: start().handle("a", "1", "2").quiet().wait(11*time.Second).handle("a", "3"), breaks: []string{"live"}},
		{name: "published late", tale: all().quiet().wait(11*time.Second).publish("4").handle("a", "4")},
	})
}

package check

import (
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

func TestFanOutOrderAndGapsAreReported(t *testing.T) {
	t.Parallel()
	follow := func() *tale {
		return newTale().process(history.Subscribed, "a", "f").publish("1", "2", "3").handle("a", "1", "2", "3")
	}
	judged(t, []example{
		{name: "in order", tale: follow().handle("f", "1", "2", "3")},
		{name: "not in order", tale: follow().handle("f", "1", "3", "2"), breaks: []string{"fan-out order"}},
		{name: "after a flush", tale: follow().handle("f", "3").flush().handle("f", "2")},
		{name: "a gap", tale: follow().handle("f", "1", "3"), breaks: []string{"fan-out gaps"}},
		{name: "a gap that was trimmed", tale: follow().handle("f", "1", "3").trim("2")},
		{name: "the end is missing", tale: follow().handle("f", "1", "2").quiet().wait(12 * time.Second), breaks: []string{"fan-out gaps"}},
		{name: "it ended before the end came", tale: follow().handle("f", "1", "2").process(history.ProcessExit, "f").quiet().wait(12 * time.Second)},
		{
			name: "it came after the beginning",
			tale: newTale().process(history.Subscribed, "a").publish("1").process(history.Subscribed, "f").publish("2").
				handle("a", "1", "2").handle("f", "2").quiet().wait(12 * time.Second),
		},
		{name: "several at a time", tale: follow().handle("f", "1", "3", "2"), change: func(o *Options) { o.Groups[1].MaxInFlight = 2 }},
	})
}

func TestGroupOrderIsReported(t *testing.T) {
	t.Parallel()
	cleanly := func() *tale {
		return alone().process(history.Closing, "a").process(history.ChannelEnd, "a").process(history.Subscribed, "b")
	}
	judged(t, []example{
		{name: "alone", tale: alone().handle("a", "1", "3", "2"), breaks: []string{"group order"}},
		{name: "with another one", tale: start().handle("a", "1", "3", "2")},
		{name: "after a clean end", tale: cleanly().handle("b", "1", "3", "2"), breaks: []string{"group order"}},
		{name: "after a kill", tale: alone().process(history.Killed, "a").process(history.Subscribed, "b").handle("b", "1", "3", "2")},
		{
			name: "long after a kill", breaks: []string{"group order"},
			tale: alone().process(history.Killed, "a").process(history.Subscribed, "b").wait(20*time.Second).handle("b", "1", "3", "2"),
		},
		{name: "after an outage", tale: alone().handle("a", "1").fault(history.Server, "freeze", time.Second).handle("a", "3", "2")},
		{name: "several at a time", tale: alone().handle("a", "1", "3", "2"), change: func(o *Options) { o.Groups[0].MaxInFlight = 2 }},
	})
}

func TestNackOrderIsReported(t *testing.T) {
	t.Parallel()
	nacked := func() *tale { return start().deliver("a", "1").says("a", "1", history.Nacking) }
	judged(t, []example{
		{name: "in its place", tale: nacked().handle("a", "1", "2", "3")},
		{name: "behind the next", tale: nacked().handle("a", "2", "1", "3"), breaks: []string{"nack order"}},
		{name: "behind the next, in the group", tale: nacked().handle("a", "2", "1", "3"), change: func(o *Options) { o.Groups[0].ReturnToGroup = true }},
		{name: "lost meanwhile", tale: nacked().pause("a", 4*time.Second).handle("b", "1").handle("a", "2", "3")},
		{name: "trimmed meanwhile", tale: nacked().handle("a", "2", "3").trim("1")},
		{
			name: "for the last time", change: func(o *Options) { o.Groups[0].MaxDeliveries = 1 },
			tale: nacked().handle("a", "2", "3").letter("1", 1),
		},
	})
}

func TestPublishOrderIsReported(t *testing.T) {
	t.Parallel()
	judged(t, []example{
		{name: "in order", tale: newTale().process(history.Subscribed, "a").publish("1", "2").handle("a", "1", "2")},
		{name: "not in order", tale: newTale().process(history.Subscribed, "a").publish("2", "1").handle("a", "1", "2"), breaks: []string{"publish order"}},
		{name: "after a flush", tale: newTale().process(history.Subscribed, "a").publish("2").handle("a", "2").flush().publish("1").handle("a", "1")},
	})
}

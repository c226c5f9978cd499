package check

import (
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

func TestTwoHoldersAreReported(t *testing.T) {
	t.Parallel()
	held := func() *tale { return start().handle("b", "1", "2").deliver("a", "3") }
	taken := func(h *tale) *tale { return h.handle("b", "3") }
	lease := func(o *Options) { o.Groups[0].MaxLease = 4 * time.Second }
	judged(t, []example{
		{name: "a live holder", tale: taken(held().wait(10 * time.Second)), breaks: []string{"exclusive"}},
		{name: "the same process", tale: held().handle("a", "3"), breaks: []string{"exclusive"}},
		{name: "killed", tale: taken(held().process(history.Killed, "a").wait(4 * time.Second))},
		{name: "ended", tale: taken(held().process(history.ProcessExit, "a"))},
		{name: "paused for long", tale: taken(held().process(history.Paused, "a").wait(4 * time.Second))},
		{name: "paused for long, before", tale: taken(held().pause("a", 4*time.Second).wait(500 * time.Millisecond))},
		{name: "paused for a short time", tale: taken(held().pause("a", time.Second)), breaks: []string{"exclusive"}},
		{name: "paused before it got the message", tale: taken(start().handle("b", "1", "2").pause("a", 4*time.Second).wait(2*time.Second).deliver("a", "3")), breaks: []string{"exclusive"}},
		{name: "cut off for long", tale: taken(held().fault("a", "cut", 4*time.Second))},
		{name: "cut off for a short time", tale: taken(held().fault("a", "cut", time.Second)), breaks: []string{"exclusive"}},
		{name: "the server was frozen", tale: taken(held().fault(history.Server, "freeze", 10*time.Second)), breaks: []string{"exclusive"}},
		{name: "frozen server and cut off", tale: taken(held().fault(history.Server, "freeze", 2*time.Second).fault("a", "cut", time.Second))},
		{name: "another one was paused", tale: taken(held().pause("b", 4*time.Second)), breaks: []string{"exclusive"}},
		{name: "the holder's clock jumped", tale: taken(held().fault("a", history.ClockJump, 4*time.Second)), breaks: []string{"exclusive"}},
		{name: "the server's clock jumped", tale: taken(held().fault(history.Server, history.ClockJump, time.Second))},
		{name: "ending for too long", tale: taken(held().process(history.Closing, "a").wait(2*time.Second)).process(history.ChannelEnd, "a")},
		{name: "ending", tale: taken(held().process(history.Closing, "a").wait(time.Second)).process(history.ChannelEnd, "a"), breaks: []string{"exclusive"}},
		{name: "its lease has expired", tale: taken(held().wait(5 * time.Second)), change: lease},
		{name: "its lease has not expired", tale: taken(held().wait(3 * time.Second)), change: lease, breaks: []string{"exclusive"}},
		{name: "the group was destroyed", tale: taken(held().destroy())},
		{name: "the group was destroyed long after", tale: taken(held().wait(10 * time.Second).destroy()), breaks: []string{"exclusive"}},
		{name: "told of its loss", tale: taken(held().pause("a", 4*time.Second).told("a", "3"))},
	})
}

func TestDeliveriesWrittenAfterAPauseAreExcused(t *testing.T) {
	t.Parallel()
	paused := func() *tale {
		return start().process(history.Paused, "a").wait(4*time.Second).handle("b", "1").deliver("b", "2").
			deliver("b", "3").process(history.Resumed, "a")
	}
	rest := func(h *tale) *tale {
		return h.says("b", "2", history.Acking).says("b", "3", history.Acking)
	}
	judged(t, []example{
		{name: "the one that was under way", tale: rest(paused().counted("a", "2", 1).says("a", "2", history.Acking))},
		{
			name: "one behind what was in hand", breaks: []string{"exclusive", "count"},
			tale: start().deliver("a", "1").process(history.Paused, "a").wait(4*time.Second).deliver("b", "2").deliver("b", "3").
				process(history.Resumed, "a").says("a", "1", history.Acking).counted("a", "2", 1).says("a", "2", history.Acking).
				says("b", "2", history.Acking).says("b", "3", history.Acking),
			change: func(o *Options) { o.Groups[0].MaxInFlight = 1 },
		},
		{
			name: "what was in the buffer", breaks: []string{"exclusive", "count"},
			tale: rest(paused().counted("a", "2", 1).says("a", "2", history.Acking).counted("a", "3", 1).says("a", "3", history.Acking)),
		},
	})
}

func TestRobbedConsumersAreReported(t *testing.T) {
	t.Parallel()
	held := func() *tale { return start().handle("b", "1", "2").deliver("a", "3") }
	judged(t, []example{
		{name: "alive", tale: held().told("a", "3").says("a", "3", history.Acking), breaks: []string{"robbed"}},
		{name: "the server was frozen", tale: held().fault(history.Server, "freeze", 9*time.Second).told("a", "3").says("a", "3", history.Acking), breaks: []string{"robbed"}},
		{name: "paused", tale: held().pause("a", 4*time.Second).told("a", "3").says("a", "3", history.Acking)},
		{
			name: "settled late by who had lost it",
			tale: held().pause("a", 4*time.Second).deliver("b", "3").says("a", "3", history.Acking).told("b", "3").says("b", "3", history.Acking),
		},
	})
}

func TestRepeatedMessagesAreReported(t *testing.T) {
	t.Parallel()
	acked := func() *tale { return start().handle("a", "1", "2", "3") }
	again := func(h *tale) *tale { return h.handle("b", "3") }
	judged(t, []example{
		{name: "after its ack", tale: again(acked().wait(4 * time.Second)), breaks: []string{"twice"}},
		{name: "killed at once", tale: again(acked().process(history.Killed, "a").wait(4 * time.Second))},
		{name: "killed later", tale: again(acked().wait(2*time.Second).process(history.Killed, "a").wait(4 * time.Second)), breaks: []string{"twice"}},
		{name: "paused at once", tale: again(acked().process(history.Paused, "a").wait(4 * time.Second))},
		{name: "the server was frozen", tale: again(acked().fault(history.Server, "freeze", 4*time.Second)), breaks: []string{"twice"}},
		{name: "frozen, then killed", tale: again(acked().fault(history.Server, "freeze", 4*time.Second).process(history.Killed, "a").wait(4 * time.Second))},
		{name: "cut off", tale: again(acked().fault("a", "cut", 4*time.Second))},
		{
			name: "ended while the server was frozen",
			tale: again(acked().process(history.Closing, "a").fault(history.Server, "freeze", 2*time.Second).process(history.ChannelEnd, "a").wait(4 * time.Second)),
		},
		{name: "ended", tale: again(acked().process(history.Closing, "a").process(history.ChannelEnd, "a").wait(4 * time.Second)), breaks: []string{"twice"}},
		{
			name: "ended at once, with its process", breaks: []string{"twice"},
			tale: again(acked().process(history.Closing, "a").process(history.ChannelEnd, "a").process(history.ProcessExit, "a").wait(4 * time.Second)),
		},
		{name: "the group was destroyed", tale: again(acked().wait(time.Second).destroy())},
		{name: "the group was destroyed later", tale: again(acked().wait(9 * time.Second).destroy()), breaks: []string{"twice"}},
		{name: "the group was destroyed when nobody was there", tale: again(acked().wait(9*time.Second).process(history.Killed, "a", "b").destroy().process(history.Subscribed, "b2"))},
		{name: "nacked", tale: again(start().handle("a", "1", "2").deliver("a", "3").says("a", "3", history.Nacking))},
		{name: "dropped", tale: again(start().handle("a", "1", "2").deliver("a", "3").says("a", "3", history.Dropping).wait(4 * time.Second)), breaks: []string{"twice"}},
	})
}

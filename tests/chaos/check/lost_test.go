package check

import (
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

func TestLostMessagesAreReported(t *testing.T) {
	t.Parallel()
	judged(t, []example{
		{name: "all are acked", tale: start().handle("a", "1", "2", "3")},
		{name: "dropped", tale: start().handle("a", "1", "2").deliver("a", "3").says("a", "3", history.Dropping)},
		{name: "one is not delivered", tale: start().handle("a", "1", "2"), breaks: []string{"lost"}},
		{name: "one is not settled", tale: start().handle("a", "1", "2").deliver("b", "3"), breaks: []string{"lost"}},
		{name: "it was trimmed", tale: start().handle("a", "1", "2").trim("3")},
		{name: "another one was trimmed", tale: start().handle("a", "1").trim("2"), breaks: []string{"lost"}},
		{name: "it was flushed", tale: start().handle("a", "1", "2").flush()},
		{name: "it was published after the flush", tale: start().flush().wait(2 * time.Second).publish("4"), breaks: []string{"lost"}},
		{
			name: "its outcome is unknown and it is in the stream", breaks: []string{"lost"},
			tale: alone().handle("a", "1", "2", "3").add(history.Event{Kind: history.PublishFailed, UUID: "4", Text: "unknown: time-out"}).
				add(history.Event{Kind: history.InStream, UUID: "4", Entry: "4-0"}),
		},
		{
			name: "its outcome is unknown and it is not",
			tale: alone().handle("a", "1", "2", "3").add(history.Event{Kind: history.PublishFailed, UUID: "4", Text: "unknown: time-out"}),
		},
		{
			name: "an entry that is no message is not buried", breaks: []string{"lost"},
			tale: alone().handle("a", "1", "2", "3").add(history.Event{Kind: history.InStream, Entry: "4-0"}),
		},
	})
}

func TestMessagesLostWithTheirGroupAreReported(t *testing.T) {
	t.Parallel()
	returned := func(o *Options) { o.Groups[0].ReturnToGroup = true }
	nacked := func() *tale {
		return start().handle("a", "1", "2").deliver("a", "3").says("a", "3", history.Nacking)
	}
	judged(t, []example{
		{name: "given back just before", tale: nacked().wait(time.Second).destroy(), change: returned},
		{name: "given back long before", tale: nacked().wait(5 * time.Second).destroy(), change: returned, breaks: []string{"lost"}},
		{name: "waiting in its place", tale: nacked().wait(time.Second).destroy(), breaks: []string{"lost"}},
		{name: "with its handler", tale: start().handle("a", "1", "2").deliver("a", "3").wait(time.Second).destroy(), breaks: []string{"lost"}},
		{name: "its holder was dead", tale: start().handle("a", "1", "2").deliver("a", "3").process(history.Killed, "a").wait(time.Second).destroy()},
		{
			name: "its holder was long dead", breaks: []string{"lost"},
			tale: start().handle("a", "1", "2").deliver("a", "3").process(history.Killed, "a").wait(10 * time.Second).destroy(),
		},
		{name: "not read yet", tale: start().handle("a", "1", "2").wait(time.Second).destroy(), breaks: []string{"lost"}},
		{name: "read in a lost reply", tale: start().handle("a", "1", "2").fault("b", "cut", 0).wait(time.Second).destroy()},
		{name: "destroyed before", tale: newTale().process(history.Subscribed, "a").destroy().wait(5 * time.Second).publish("1"), breaks: []string{"lost"}},
	})
}

func TestWrongOutcomesOfPublishAreReported(t *testing.T) {
	t.Parallel()
	refuse := func() *tale {
		return alone().handle("a", "1", "2", "3").add(history.Event{Kind: history.PublishFailed, UUID: "4", Text: "refused: OOM"})
	}
	judged(t, []example{
		{name: "not there", tale: refuse()},
		{
			name: "there all the same", tale: refuse().add(history.Event{Kind: history.InStream, UUID: "4", Entry: "4-0"}).handle("a", "4"),
			breaks: []string{"publish outcome"},
		},
		{
			name: "twice in the stream", breaks: []string{"publish outcome"},
			tale: alone().handle("a", "1", "2", "3").add(history.Event{Kind: history.InStream, UUID: "3", Entry: "9-0"}),
		},
	})
}

package check

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

func TestUneven(t *testing.T) {
	t.Parallel()
	type shares = map[string][]string
	living := []string{"a", "b"}
	for name, x := range map[string]struct {
		owners []string
		shares shares
		even   bool
	}{
		"even":                 {[]string{"a", "b", "a"}, shares{"a": {"0,2"}, "b": {"1"}}, true},
		"with what is out":     {[]string{"a", "b", "a"}, shares{"a": {"0,2;1"}, "b": {"1"}}, true},
		"one has all":          {[]string{"a", "a", "a"}, shares{"a": {"0,1,2"}, "b": {""}}, false},
		"nobody has one":       {[]string{"a", "b", ""}, shares{"a": {"0"}, "b": {"1"}}, false},
		"a dead one has one":   {[]string{"a", "b", "c"}, shares{"a": {"0"}, "b": {"1"}, "c": {"2"}}, false},
		"a dead one is listed": {[]string{"a", "b", "a"}, shares{"a": {"0,2"}, "b": {"1"}, "c": {""}}, false},
		"it does not say so":   {[]string{"a", "b", "a"}, shares{"a": {"0"}, "b": {"1"}}, false},
		"one is not listed":    {[]string{"a", "b", "a"}, shares{"a": {"0,2"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			why := Uneven(living, x.owners, x.shares)
			assert.Equal(t, x.even, why == "", why)
		})
	}
}

// look has somebody look at who has the partition.
func (t *tale) look(owner string, living ...string) *tale {
	e := history.Event{Kind: task.Look}
	for _, name := range living {
		e.Entries = append(e.Entries, full(name))
	}
	t.add(e).add(history.Event{Kind: task.Owner, Process: full(owner), Epoch: t.epochs[owner]})
	for _, name := range living {
		share := ""
		if name == owner {
			share = "0"
		}
		t.add(history.Event{Kind: task.Share, Process: full(name), Entries: []string{share}})
	}
	return t
}

func TestSharesThatAreNotEvenAreReported(t *testing.T) {
	t.Parallel()
	all := func() *tale {
		return start().handle("a", "k1", "k2", "k3", "k4", "k5").is(task.Calm, "")
	}
	judged(t, []example{
		{name: "even", tale: all().wait(time.Second).look("a", "a", "b").wait(time.Second).look("a", "a", "b")},
		{name: "nobody has it", tale: all().wait(time.Second).look("", "a", "b"), breaks: []string{"even"}},
		{name: "a dead one has it", tale: all().wait(time.Second).look("a", "b"), breaks: []string{"even"}},
		{name: "too late", tale: all().wait(3*time.Second).look("a", "a", "b"), breaks: []string{"even"}},
		{name: "too late, for want of time", tale: all().wait(time.Second).stall("b", 2*time.Second).look("a", "a", "b")},
		{name: "it moves", tale: all().look("a", "a", "b").grant("b").look("b", "a", "b"), breaks: []string{"even"}},
		{name: "granted again", tale: all().look("a", "a", "b").grant("a").look("a", "a", "b"), breaks: []string{"even"}},
		{name: "it moves, as somebody got no time", tale: all().look("a", "a", "b").stall("a", 200*time.Millisecond).grant("b").look("b", "a", "b")},
		{name: "it moves between two calms", tale: all().look("a", "a", "b").is(task.Calm, "").grant("b").look("b", "a", "b")},
	})
}

package check

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

func TestEveryRuleLooksAtSomething(t *testing.T) {
	t.Parallel()
	h := newTale().process(history.Subscribed, "a", "f").publish("1", "2", "3").
		handle("f", "1", "2", "3").handle("a", "1").fail("a", "2", 3).requeue("2").handle("a", "2").
		deliver("a", "3").says("a", "3", history.Rejecting).letter("3", 1).
		add(history.Event{Kind: history.PublishFailed, UUID: "4", Text: "refused: OOM"}).quiet().
		process(history.Closing, "a").process(history.ChannelEnd, "a").over()
	o := promised()
	thrice(&o)
	r := Examine(h, o)
	assert.Empty(t, r.Violations)
	var all Report
	all.Add(r)
	assert.Equal(t, []string{
		"condemned", "count", "dead letters", "ends", "exclusive", "fan-out gaps", "fan-out order", "group order", "left behind", "live", "lost",
		"nack order", "publish order", "publish outcome", "requeue", "robbed", "settled", "twice",
	}, all.Rules())
}

func TestExcusesAreCounted(t *testing.T) {
	t.Parallel()
	h := start().handle("b", "1", "2").deliver("a", "3").pause("a", 4*time.Second).handle("b", "3").over()
	r := Examine(h, promised())
	assert.Empty(t, r.Violations)
	assert.Equal(t, 1, r.Excused["exclusive"])
}

func TestAnEmptyHistoryBreaksNothing(t *testing.T) {
	t.Parallel()
	assert.Empty(t, Judge(nil, Options{}))
}

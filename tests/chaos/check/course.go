package check

import "github.com/watermill-rueidis/redisstream/tests/chaos/history"

// audience is who shares the messages of a topic: a group, or one process without
// a group.
type audience struct {
	topic, group string
	process      string // without a group
}

func audienceOf(e history.Event) audience {
	a := audience{topic: e.Topic, group: e.Group}
	if a.group == "" {
		a.process = e.Process
	}
	return a
}

// course is what an audience did with an entry.
type course struct {
	audience audience
	entry    string
	uuid     string

	handOuts []*handOut
	requeued []history.Event
	letters  []history.Event
}

// handOut is one hand-out of an entry.
type handOut struct {
	course       *course
	subscription *subscription
	delivered    history.Event
	outcome      history.Event // what its handler did; no kind = nothing
	noticed      history.Event // the end of its context; no kind = not seen
	ended        int64         // when it was no longer with its handler, as far as its process knows
}

func (h *handOut) at() int64 { return h.delivered.At }

func (h *handOut) process() *process { return h.subscription.process }

// settledBy is when the outcome came, or never.
func (h *handOut) settledBy() int64 {
	if h.outcome.Kind == "" {
		return never
	}
	return h.outcome.At
}

// done reports whether the handler said that the message is over for the group.
func (h *handOut) done() bool {
	return h.outcome.Kind == history.Acking || h.outcome.Kind == history.Dropping
}

// since is when the present life of the entry began before a time: with its
// publication, or with its return from the dead letters.
func (c *course) since(at int64) int64 {
	begin := int64(0)
	for _, e := range c.requeued {
		if e.At <= at {
			begin = max(begin, e.At)
		}
	}
	return begin
}

// upTo lists the hand-outs of the present life up to a time.
func (c *course) upTo(at int64) []*handOut {
	var out []*handOut
	begin := c.since(at)
	for _, h := range c.handOuts {
		if h.at() >= begin && h.at() <= at {
			out = append(out, h)
		}
	}
	return out
}

// first is the first hand-out that satisfies a condition.
func (c *course) first(is func(*handOut) bool) *handOut {
	for _, h := range c.handOuts {
		if is(h) {
			return h
		}
	}
	return nil
}

// shown lists what happened to the entry up to a time.
func (c *course) shown(at int64) []history.Event {
	var out []history.Event
	for _, h := range c.handOuts {
		if h.at() > at {
			break
		}
		out = append(out, h.delivered)
		if h.outcome.Kind != "" {
			out = append(out, h.outcome)
		}
	}
	return out
}

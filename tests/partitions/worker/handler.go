package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

var errForeign = errors.New("the message is not what was published")

// handler handles one message, once.
type handler struct {
	member *member
	msg    *message.Message
	event  history.Event
	choice choice
}

func newHandler(m *member, msg *message.Message) *handler {
	ctx := msg.Context()
	e := history.Event{Process: m.task.Process, UUID: msg.UUID}
	e.Entry, _ = redisstream.EntryIDFromContext(ctx)
	e.Deliveries, _ = redisstream.DeliveryCountFromContext(ctx)
	e.Partition, _ = redisstream.PartitionFromContext(ctx)
	e.Epoch, _ = redisstream.FencingTokenFromContext(ctx)
	if string(msg.Payload) != msg.UUID {
		fail(fmt.Errorf("%s: %w: %.100q", msg.UUID, errForeign, msg.Payload))
	}
	return &handler{member: m, msg: msg, event: e, choice: choose(m.task, msg.UUID, e.Deliveries)}
}

// run writes what it does before it does it: what is written may not have been done, but what
// is done has been written.
func (h *handler) run() {
	settle := h.choice.settle
	if h.work() && !h.choice.stubborn {
		settle = history.Nacking
	}
	h.note(settle, "")
	if settle == history.Acking {
		h.msg.Ack()
	} else {
		h.msg.Nack()
	}
}

// work takes its time. It reports whether the message's context has ended; a stubborn handler
// goes on all the same, for as long as it wanted to.
func (h *handler) work() (ended bool) {
	timer := time.NewTimer(h.choice.takes)
	defer timer.Stop()
	ctx := h.msg.Context()
	select {
	case <-timer.C:
		return false
	case <-ctx.Done():
		h.note(history.ContextEnd, context.Cause(ctx).Error())
	}
	if h.choice.stubborn {
		<-timer.C
	}
	return true
}

func (h *handler) note(kind history.Kind, text string) {
	e := h.event
	e.Kind, e.Text = kind, text
	h.member.log.Add(e)
}

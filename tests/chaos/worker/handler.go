package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

var (
	errForeign = errors.New("the payload is not that of the message")
	errMood    = errors.New("not in the mood")
)

// handler handles one message, once.
type handler struct {
	consumer *consumer
	msg      *message.Message
	event    history.Event
	mood     task.Mood
	choice   choice
}

func newHandler(c *consumer, msg *message.Message) *handler {
	mood, ok := task.MoodOf(msg.Payload, msg.UUID)
	if !ok {
		fail(fmt.Errorf("%s: %w: %.100q", msg.UUID, errForeign, msg.Payload))
	}
	e := history.Event{Process: c.task.Process, Topic: c.task.Topic, Group: c.task.Consumer.Group, UUID: msg.UUID}
	e.Entry, _ = redisstream.EntryIDFromContext(msg.Context())
	e.Deliveries, _ = redisstream.DeliveryCountFromContext(msg.Context())
	return &handler{consumer: c, msg: msg, event: e, mood: mood, choice: choose(c.task, mood, msg.UUID, e.Deliveries)}
}

func (h *handler) run() {
	h.note(history.Delivered, "")
	if h.choice.kill {
		h.die()
	}
	if cause := h.work(); cause != nil {
		h.note(history.ContextEnd, cause.Error())
		if !h.choice.stubborn {
			h.choice.settle = history.Nacking
		}
	}
	h.settle()
}

// work takes its time. It returns the cause if the message's context has ended; a stubborn
// handler goes on all the same, for as long as it wanted to.
func (h *handler) work() (cause error) {
	timer := time.NewTimer(h.choice.takes)
	defer timer.Stop()
	ctx := h.msg.Context()
	select {
	case <-timer.C:
	case <-ctx.Done():
		if h.choice.stubborn {
			<-timer.C
		}
	}
	return context.Cause(ctx)
}

// settle writes what it does before it does it: what is written may not have been done, but
// what is done has been written.
func (h *handler) settle() {
	h.note(h.choice.settle, "")
	switch h.choice.settle {
	case history.Acking:
		h.msg.Ack()
		return
	case history.Rejecting:
		_ = redisstream.Reject(h.msg.Context(), errMood)
	case history.Dropping:
		_ = redisstream.Drop(h.msg.Context(), errMood)
	case history.Postponing:
		_ = redisstream.RetryAfter(h.msg.Context(), h.choice.after, errMood)
	default:
	}
	h.msg.Nack()
}

// die kills the process as the kernel does when memory is short.
func (h *handler) die() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		fail(err)
	}
	<-make(chan struct{}) // the signal comes at any moment
}

func (h *handler) note(kind history.Kind, text string) {
	e := h.event
	e.Kind, e.Text = kind, text
	h.consumer.log.Add(e)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// publisher publishes each message once, whatever comes of it, until its process is asked
// to end.
type publisher struct {
	task   task.Task
	log    *history.Log
	client rueidis.Client

	number int
}

func (p *publisher) run(ctx context.Context) error {
	out, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: p.client},
		watermill.NewStdLoggerWithOut(os.Stderr, false, false))
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(p.task.Seed, 0))
	for pause(ctx, between(r, 0, 2*p.task.Publisher.Every)) {
		size := 1
		if r.IntN(3) == 0 {
			size += r.IntN(p.task.Publisher.Batch)
		}
		if err := p.publish(ctx, out, p.batch(r, size)); err != nil {
			return err
		}
	}
	p.log.Add(history.Event{Kind: history.Closing, Process: p.task.Process, Topic: p.task.Topic})
	return out.Close()
}

func (p *publisher) batch(r *rand.Rand, size int) []*message.Message {
	messages := make([]*message.Message, size)
	for i := range messages {
		p.number++
		uuid := fmt.Sprintf("%s/%06d", p.task.Process, p.number)
		mood := p.mood(r)
		bytes := 50 + r.IntN(300)
		if r.IntN(50) == 0 {
			bytes = 20 << 10
		}
		messages[i] = message.NewMessage(uuid, mood.Payload(uuid, bytes))
		e := history.Event{Kind: history.Publishing, Process: p.task.Process, Topic: p.task.Topic, UUID: uuid}
		if mood != task.Plain {
			e.Text = string(mood)
		}
		p.log.Add(e)
	}
	return messages
}

func (p *publisher) mood(r *rand.Rand) task.Mood {
	switch t := p.task.Publisher; {
	case p.number == t.Killer:
		return task.Killer
	case t.Poison > 0 && r.IntN(t.Poison) == 0:
		return task.Poison
	default:
		return task.Plain
	}
}

// publish writes what became of each message.
func (p *publisher) publish(ctx context.Context, out *redisstream.Publisher, messages []*message.Message) error {
	ctx, receipt := redisstream.WithReceipt(context.WithoutCancel(ctx))
	for _, msg := range messages {
		msg.SetContext(ctx)
	}
	err := out.Publish(p.task.Topic, messages...) //nolint:contextcheck // the messages have the context
	if err == nil {
		for i, id := range receipt.EntryIDs() {
			p.outcome(redisstream.Outcome{Message: messages[i], EntryID: id})
		}
		return nil
	}
	var failed *redisstream.PublishError
	if !errors.As(err, &failed) {
		return err // nothing else is promised
	}
	for _, o := range failed.Outcomes {
		p.outcome(o)
	}
	return nil
}

func (p *publisher) outcome(o redisstream.Outcome) {
	e := history.Event{Process: p.task.Process, Topic: p.task.Topic, UUID: o.Message.UUID, Entry: o.EntryID}
	switch {
	case o.Err == nil:
		e.Kind = history.Published
	case o.Unknown:
		e.Kind, e.Text = history.PublishFailed, "unknown: "+o.Err.Error()
	default:
		e.Kind, e.Text = history.PublishFailed, "refused: "+o.Err.Error()
	}
	p.log.Add(e)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// publisher publishes messages of its own keys, each key in order, until its process is asked
// to end.
type publisher struct {
	task   task.Task
	log    *history.Log
	client rueidis.Client
}

func (p *publisher) run(ctx context.Context) error {
	out, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client:       p.client,
		Partitions:   func(string) int { return task.Partitions },
		PartitionKey: redisstream.KeyFromMetadata(task.KeyField),
	}, logger())
	if err != nil {
		return err
	}
	p.log.Add(history.Event{Kind: history.Subscribed, Process: p.task.Process}) // it is at work
	var keys sync.WaitGroup
	for i := range p.task.Publisher.Keys {
		keys.Go(func() { p.publish(ctx, out, i) })
	}
	keys.Wait()
	p.log.Add(history.Event{Kind: history.Closing, Process: p.task.Process})
	return out.Close()
}

// publish publishes the messages of a key. After one of which nobody knows whether it is in the
// stream it goes on with another key, so that it is clear what comes after what.
func (p *publisher) publish(ctx context.Context, out *redisstream.Publisher, which int) {
	r := rand.New(rand.NewPCG(p.task.Seed, uint64(which))) //nolint:gosec // it is small
	generation, number := 1, 0
	for pause(ctx, between(r, 0, 2*p.task.Publisher.Every)) {
		number++
		key := fmt.Sprintf("%s-k%d.g%d", p.task.Process, which, generation)
		if !p.one(ctx, out, key, number) {
			generation, number = generation+1, 0
		}
	}
}

// one publishes a message and writes what became of it. It reports false if nobody knows.
func (p *publisher) one(ctx context.Context, out *redisstream.Publisher, key string, number int) (known bool) {
	uuid := task.UUID(key, number)
	partition := redisstream.PartitionOf(key, task.Partitions)
	msg := message.NewMessage(uuid, []byte(uuid))
	msg.Metadata.Set(task.KeyField, key)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	ctx, receipt := redisstream.WithReceipt(ctx)
	msg.SetContext(ctx)
	e := history.Event{Kind: history.Publishing, Process: p.task.Process, UUID: uuid, Partition: partition}
	p.log.Add(e)
	err := out.Publish(p.task.Topic, msg) //nolint:contextcheck // the message has the context
	e.Kind = history.Published
	if err == nil {
		e.Entry = receipt.EntryIDs()[0]
		p.log.Add(e)
		return true
	}
	e.Kind = history.PublishFailed
	var failed *redisstream.PublishError
	if !errors.As(err, &failed) || failed.Outcomes[0].Unknown {
		e.Text = "unknown: " + err.Error()
		p.log.Add(e)
		return false
	}
	if o := failed.Outcomes[0]; o.Err == nil {
		e.Kind, e.Entry = history.Published, o.EntryID
	} else {
		e.Text = "refused: " + err.Error()
	}
	p.log.Add(e)
	return true
}

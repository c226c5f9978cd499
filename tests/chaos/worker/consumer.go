package main

import (
	"context"
	"os"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// consumer subscribes once and ends with its subscription.
type consumer struct {
	task   task.Task
	log    *history.Log
	client rueidis.Client
}

// run ends in an orderly way when ctx does: half of the processes cancel the context of
// Subscribe, as Watermill's router does, and the others call Close.
func (c *consumer) run(ctx context.Context) error {
	subscriber, err := redisstream.NewSubscriber(c.config(), watermill.NewStdLoggerWithOut(os.Stderr, false, false))
	if err != nil {
		return err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	ended := make(chan struct{})
	var closing sync.WaitGroup
	defer closing.Wait()
	defer close(ended)
	closing.Go(func() {
		select {
		case <-ctx.Done():
		case <-ended:
			return
		}
		c.note(history.Closing)
		if c.task.Seed%2 == 0 {
			end()
		} else if err := subscriber.Close(); err != nil {
			fail(err)
		}
	})
	messages, ok := c.subscribe(ctx, life, subscriber)
	if ok {
		c.handle(messages) //nolint:contextcheck // each message has its own
	}
	return nil
}

func (c *consumer) config() redisstream.SubscriberConfig {
	t := c.task.Consumer
	config := redisstream.SubscriberConfig{
		Client: c.client, ConsumerGroup: t.Group, Consumer: t.Name,
		MaxInFlight: t.MaxInFlight, MinIdle: t.MinIdle, CloseTimeout: t.CloseTimeout, MaxDeliveries: t.MaxDeliveries,
	}
	if t.ReturnToGroup {
		config.NackPolicy = redisstream.ReturnToGroup
	}
	return config
}

// subscribe tries until it succeeds, as a program would that is started again and again. It
// reports false when the process was asked to end meanwhile.
func (c *consumer) subscribe(ctx, life context.Context, s *redisstream.Subscriber) (<-chan *message.Message, bool) {
	for {
		messages, err := s.Subscribe(life, c.task.Topic)
		if err == nil {
			c.note(history.Subscribed)
			return messages, true
		}
		if !pause(ctx, retryPause) {
			return nil, false
		}
	}
}

// handle returns when the channel is closed and the last handler is done.
func (c *consumer) handle(messages <-chan *message.Message) {
	var handlers sync.WaitGroup
	over := sync.OnceFunc(func() { c.note(history.ChannelEnd) })
	for range c.task.Consumer.MaxInFlight {
		handlers.Go(func() {
			for msg := range messages {
				newHandler(c, msg).run()
			}
			over()
		})
	}
	handlers.Wait()
}

func (c *consumer) note(kind history.Kind) {
	c.log.Add(history.Event{Kind: kind, Process: c.task.Process, Topic: c.task.Topic, Group: c.task.Consumer.Group})
}

package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// member subscribes once and ends with its subscription.
type member struct {
	task   task.Task
	log    *history.Log
	client rueidis.Client
}

// run ends in an orderly way when ctx does: half of the processes cancel the context of
// Subscribe, as Watermill's router does, and the others call Close.
func (m *member) run(ctx context.Context) error {
	subscriber, err := redisstream.NewSubscriber(m.config(), logger())
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
		m.note(history.Closing)
		if m.task.Seed%2 == 0 {
			end()
		} else if err := subscriber.Close(); err != nil {
			fail(err)
		}
	})
	messages, ok := m.subscribe(ctx, life, subscriber)
	if ok {
		m.handle(messages) //nolint:contextcheck // each message has its own
	}
	return nil
}

func (m *member) config() redisstream.SubscriberConfig {
	t := m.task.Member
	return redisstream.SubscriberConfig{
		Client:        m.client,
		ConsumerGroup: task.Group,
		Consumer:      m.task.Process, // so that one can tell whose a lease is
		Partitions:    func(string) int { return task.Partitions },
		PartitionKey:  redisstream.KeyFromMetadata(task.KeyField),
		LeaseTTL:      t.LeaseTTL,
		MaxInFlight:   t.MaxInFlight,
		CloseTimeout:  t.CloseTimeout,
		NackBackoff: func(int) time.Duration {
			return between(rand.New(rand.NewPCG(m.task.Seed, 1)), time.Millisecond, 30*time.Millisecond)
		},
	}
}

// subscribe tries until it succeeds, as a program would that is started again and again. It
// reports false when the process was asked to end meanwhile.
func (m *member) subscribe(ctx, life context.Context, s *redisstream.Subscriber) (<-chan *message.Message, bool) {
	for {
		messages, err := s.Subscribe(life, m.task.Topic)
		if err == nil {
			m.note(history.Subscribed)
			return messages, true
		}
		if !pause(ctx, retryPause) {
			return nil, false
		}
	}
}

// handle returns when the channel is closed and the last handler is done. What comes is
// written down before anything else is done.
func (m *member) handle(messages <-chan *message.Message) {
	var handlers sync.WaitGroup
	for msg := range messages {
		h := newHandler(m, msg)
		h.note(history.Delivered, "")
		handlers.Go(h.run)
	}
	m.note(history.ChannelEnd)
	handlers.Wait()
}

func (m *member) note(kind history.Kind) {
	m.log.Add(history.Event{Kind: kind, Process: m.task.Process})
}

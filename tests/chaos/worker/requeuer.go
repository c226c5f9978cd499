package main

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// requeuer puts dead letters of a group back, each of them twice at once, and deletes the
// entries of some before. Then its process ends.
type requeuer struct {
	task   task.Task
	log    *history.Log
	client rueidis.Client
}

// mostRequeued bounds how long what comes of it may take.
const mostRequeued = 10

func (q *requeuer) run(ctx context.Context) error {
	s, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: q.client, ConsumerGroup: q.task.Consumer.Group}, nil)
	if err != nil {
		return err
	}
	dead, err := s.DeadLetters(q.task.Topic)
	if err != nil {
		return err
	}
	letters, err := dead.List(ctx, "", mostRequeued)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(q.task.Seed, 0))
	for _, letter := range letters {
		if q.task.Removes && r.IntN(2) == 0 {
			if err := q.remove(ctx, letter.EntryID); err != nil {
				return err
			}
		}
		if err := q.requeue(ctx, dead, letter); err != nil {
			return err
		}
	}
	return s.Close()
}

// remove deletes an entry that no other group needs.
func (q *requeuer) remove(ctx context.Context, entry string) error {
	return q.client.Do(ctx, q.client.B().Xdel().Key(q.task.Topic).Id(entry).Build()).Error() //nolint:forbidigo // as an operator does
}

func (q *requeuer) requeue(ctx context.Context, dead *redisstream.DeadLetters, letter redisstream.DeadLetter) error {
	e := history.Event{
		Kind: history.Requeued, Process: q.task.Process, Topic: q.task.Topic,
		Group: letter.Group, Entry: letter.EntryID,
	}
	for _, field := range letter.Fields {
		if field.Name == redisstream.UUIDField {
			e.UUID = field.Value
		}
	}
	q.log.Add(e)
	var both sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		both.Go(func() { _, errs[i] = dead.Requeue(ctx, letter.ID) })
	}
	both.Wait()
	if errs[0] != nil {
		return errs[0]
	}
	return errs[1]
}

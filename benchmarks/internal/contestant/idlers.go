package contestant

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
)

// Idlers are subscriptions of ours that share a client and get no messages.
type Idlers struct {
	client      rueidis.Client
	subscribers []*redisstream.Subscriber
}

// NewIdlers connects. Close ends the idlers, also after an error of Subscribe.
func NewIdlers(option rueidis.ClientOption) (*Idlers, error) {
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, err
	}
	return &Idlers{client: client}, nil
}

// Subscribe adds a subscription to the topic, in a group. A consumer with a name has a lease.
func (i *Idlers) Subscribe(ctx context.Context, topic, group, consumer string) error {
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: i.client, ConsumerGroup: group, Consumer: consumer,
	}, nil)
	if err != nil {
		return err
	}
	i.subscribers = append(i.subscribers, subscriber)
	_, err = subscriber.Subscribe(ctx, topic)
	return err
}

// Close ends all subscriptions, side by side.
func (i *Idlers) Close() error {
	defer i.client.Close()
	var wg sync.WaitGroup
	errs := make([]error, len(i.subscribers))
	for at, subscriber := range i.subscribers {
		wg.Go(func() { errs[at] = subscriber.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

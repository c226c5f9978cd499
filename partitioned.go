package redisstream

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// partitioned is a topic with partitions as a Subscriber sees it, and what all
// subscriptions of its partitions have in common.
type partitioned struct {
	subscriber *Subscriber
	topic      string
	prefix     string // of the topic's keys
	n          int
	out        chan *message.Message
	slots      chan struct{}   // see dispatcher
	values     context.Context //nolint:containedctx // what messages' contexts get their values from
	terms      terms
	member     string
	log        logger
}

// partitionsOf is how many partitions a topic has; 0 is none.
func (s *Subscriber) partitionsOf(topic string) (int, error) {
	if s.config.Partitions == nil {
		return 0, nil
	}
	n := s.config.Partitions(topic)
	if n < 0 || n > maxPartitions {
		return 0, &ConfigError{"SubscriberConfig.Partitions", n, fmt.Sprintf("must return 0, for a topic without partitions, or 1 to %d", maxPartitions)}
	}
	return n, nil
}

// preparePartitioned is prepare for a topic with partitions.
func (s *Subscriber) preparePartitioned(ctx context.Context, topic string, n int) (running, chan *message.Message, error) {
	p, err := s.newPartitioned(ctx, topic, n)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := s.starting(ctx)
	defer cancel()
	var all running
	if s.config.ConsumerGroup == "" {
		all, err = p.follow(ctx)
	} else {
		all, err = p.join(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	p.log.Info("Subscribed", nil)
	return all, p.out, nil
}

// initializePartitions is SubscribeInitialize for a topic with partitions.
func (s *Subscriber) initializePartitions(ctx context.Context, topic string, n int) error {
	p, err := s.newPartitioned(ctx, topic, n)
	if err == nil {
		err = p.initialize(ctx)
	}
	if err != nil {
		return fmt.Errorf("initialize %q: %w", topic, err)
	}
	return nil
}

func (s *Subscriber) newPartitioned(ctx context.Context, topic string, n int) (*partitioned, error) {
	prefix, err := xstream.Prefix(topic)
	if err != nil {
		return nil, &ConfigError{"topic", topic, err.Error()}
	}
	p := &partitioned{
		subscriber: s,
		topic:      topic,
		prefix:     prefix,
		n:          n,
		out:        make(chan *message.Message),
		values:     context.WithoutCancel(ctx),
		terms:      terms{ttl: s.config.LeaseTTL},
		log:        s.log.with(watermill.LogFields{"topic": topic, "partitions": n}),
	}
	if s.config.MaxInFlightTotal > 0 {
		p.slots = make(chan struct{}, s.config.MaxInFlightTotal)
	}
	return p, nil
}

func (p *partitioned) stream(index int) xstream.Stream {
	return p.subscriber.stream(xstream.PartitionStream(p.topic, index, p.n))
}

// record makes sure that everybody agrees on the number of partitions.
func (p *partitioned) record(ctx context.Context) error {
	err := xstream.RecordPartitions(ctx, p.subscriber.stream(p.topic), xstream.PartitionCount(p.prefix), p.n)
	return partitionsError(p.topic, p.n, err)
}

// isPermanent reports whether it makes no sense to try again.
func isPermanent(err error) bool {
	var other *PartitionsError
	return errors.As(err, &other)
}

// initialize creates the group of each partition, if there is none.
func (p *partitioned) initialize(ctx context.Context) error {
	if err := retry(ctx, p.record); err != nil {
		return err
	}
	return p.each(func(i int) error {
		group := xstream.Group{Stream: p.stream(i), Name: p.subscriber.config.ConsumerGroup}
		return retry(ctx, func(ctx context.Context) error { return p.subscriber.createGroup(ctx, group) })
	})
}

// each does something for all partitions, for some of them at a time.
func (p *partitioned) each(do func(index int) error) error {
	const atOnce = 64
	errs := make([]error, p.n)
	var all sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for i := range p.n {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			errs[i] = do(i)
		})
	}
	all.Wait()
	for _, err := range errs { // one of them says enough
		if err != nil {
			return err
		}
	}
	return nil
}

// follow makes a subscription without a group of each partition.
func (p *partitioned) follow(ctx context.Context) (running, error) {
	s := p.subscriber
	all := make(together, p.n)
	for i := range all {
		free, err := xstream.Reserve(p.stream(i), "", s.config.BlockingPoolSize-sparedBlockingPool)
		if err != nil {
			all[:i].free()
			return nil, reserveError(err, p.topic, s.config.BlockingPoolSize)
		}
		all[i] = p.subscription(i, 0)
		all[i].free = free
	}
	err := retry(ctx, p.record)
	if err == nil {
		err = p.each(func(i int) error { return s.follow(ctx, all[i], p.stream(i)) })
	}
	if err != nil {
		all.free()
		return nil, err
	}
	return all, nil
}

// subscription is that of one partition.
func (p *partitioned) subscription(index int, epoch int64) *subscription {
	where := place{stream: p.stream(index).Key, partitioned: true, partition: index, epoch: epoch}
	sub := p.subscriber.newSubscription(p.values, p.topic, where, p.out)
	sub.log = p.log.with(watermill.LogFields{"partition": index})
	sub.dispatcher.slots = p.slots
	sub.ledger.pace.bytes = maxPrefetchBytes / min(p.n, 8)
	return sub
}

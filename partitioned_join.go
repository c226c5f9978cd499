package redisstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// join makes a member of the topic's group.
func (p *partitioned) join(ctx context.Context) (running, error) {
	s := p.subscriber
	free, err := xstream.Reserve(s.stream(p.topic), p.prefix, s.config.BlockingPoolSize-sparedBlockingPool)
	if err != nil {
		return nil, reserveError(err, p.topic, s.config.BlockingPoolSize)
	}
	p.member = p.memberID()
	p.log = p.log.with(watermill.LogFields{"consumer_group": s.config.ConsumerGroup, "member": p.member})
	group := s.config.ConsumerGroup
	roster := xstream.Roster{
		Client:     s.config.Client,
		Partitions: xstream.PartitionCount(p.prefix),
		Members:    xstream.Members(p.prefix, group),
		Owned:      xstream.Owned(p.prefix, group),
		Wake:       xstream.Wake(p.prefix, group),
	}
	err = p.initialize(ctx)
	if err == nil {
		err = p.probe(ctx, roster)
	}
	if err != nil {
		free()
		return nil, err
	}
	c := &coordinator{
		roster: roster,
		id:     p.member,
		terms:  p.terms,
		log:    p.log,
		free:   free,
		events: make(chan func()),
		kick:   make(chan struct{}, 1),
		over:   make(chan struct{}),
		beat:   trouble{log: p.log, doing: "tell the group's members what we have"},
	}
	c.waker = &waker{
		blocking: blocking{stream: xstream.Stream{Client: s.config.Client, Key: c.roster.Wake}, done: make(chan struct{})},
		period:   min(p.terms.ttl, blockTime),
		news:     func(version string) { c.tell(func() { c.heardOf(version) }) },
		log:      p.log,
	}
	for i := range p.n {
		claim, err := p.claim(i, func() { wake(c.kick) })
		if err != nil {
			free()
			return nil, err
		}
		c.claims = append(c.claims, claim)
	}
	return c, nil
}

// memberID is a name that no other subscription has, not even one of the same
// configuration.
func (p *partitioned) memberID() string {
	if name := p.subscriber.config.Consumer; name != "" {
		return name + "-" + randomHex(16)
	}
	return randomName() + randomHex(8)
}

// probe makes sure that we may do what we will have to, as far as that can be tried without a
// partition.
func (p *partitioned) probe(ctx context.Context, roster xstream.Roster) error {
	partition, err := p.partition(0)
	if err != nil {
		return err
	}
	none := xstream.Tenure{Partition: partition, Member: p.member, Epoch: -1}
	return retry(ctx, func(ctx context.Context) error {
		if err := partition.Probe(ctx); err != nil {
			return err
		}
		if _, err := partition.Touch(ctx, partition.Consumer, []xstream.Count{{ID: "0-1", Deliveries: xstream.Unchanged}}); err != nil {
			return err
		}
		if _, err := none.Renew(ctx, p.terms.ttl); !errors.Is(err, xstream.ErrFenced) { // who has no lease is told so
			return err
		}
		_, err := roster.Beat(ctx, xstream.Beat{Member: p.member, TTL: p.terms.ttl, Count: p.n})
		return partitionsError(p.topic, p.n, err)
	})
}

func (p *partitioned) partition(index int) (xstream.Partition, error) {
	stream := p.stream(index)
	prefix, err := xstream.Prefix(stream.Key)
	if err != nil {
		return xstream.Partition{}, &ConfigError{"topic", p.topic, err.Error()}
	}
	group := p.subscriber.config.ConsumerGroup
	return xstream.Partition{
		Group:    xstream.Group{Stream: stream, Name: group},
		Lease:    xstream.PartitionLease(prefix, group),
		Consumer: fmt.Sprintf("p%d", index),
	}, nil
}

// claim is what the coordinator has to know of a partition. lost is called when we have
// lost it.
func (p *partitioned) claim(index int, lost func()) (*claim, error) {
	s := p.subscriber
	partition, err := p.partition(index)
	if err != nil {
		return nil, err
	}
	prefix, _ := xstream.Prefix(partition.Key)
	dead, err := s.deadStream(partition.Key, prefix)
	if err != nil {
		return nil, err
	}
	c := &claim{index: index}
	c.acquire = func(ctx context.Context) (xstream.Grant, error) {
		return partition.Acquire(ctx, p.member, p.terms.ttl)
	}
	c.hasRoom = func() bool {
		free, err := xstream.Reserve(partition.Stream, prefix, s.config.BlockingPoolSize-sparedBlockingPool)
		if err == nil {
			free()
		}
		return err == nil
	}
	c.give = func(ctx context.Context, epoch int64) {
		_, _ = within(ctx, p.terms.timeout(), func(ctx context.Context) (struct{}, error) { // it ends by itself
			return struct{}{}, xstream.Tenure{Partition: partition, Member: p.member, Epoch: epoch}.Release(ctx)
		})
	}
	c.begin = func(ctx context.Context, epoch int64, until time.Time) (*session, error) {
		free, err := xstream.Reserve(partition.Stream, prefix, s.config.BlockingPoolSize-sparedBlockingPool)
		if err != nil {
			return nil, reserveError(err, p.topic, s.config.BlockingPoolSize)
		}
		h := p.hold(index, dead, xstream.Tenure{Partition: partition, Member: p.member, Epoch: epoch}, until)
		return h.serve(ctx, p.subscription(index, epoch), free, lost), nil
	}
	return c, nil
}

// hold is a partition that was granted to us.
func (p *partitioned) hold(index int, dead string, lease xstream.Tenure, until time.Time) *holding {
	h := &holding{
		index:    index,
		lease:    lease,
		tenure:   newTenure(),
		terms:    p.terms,
		dead:     dead,
		maxDead:  p.subscriber.config.MaxDeadLetters,
		doubts:   make(chan struct{}, 1),
		maxLease: p.subscriber.config.MaxLease,
		strict:   p.subscriber.config.MaxInFlight == 1,
		most:     int64(p.subscriber.config.MaxDeliveries),
	}
	h.tenure.extend(until, time.Now())
	return h
}

package redisstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// prepare does what Subscribe waits for, and puts together what it starts.
func (s *Subscriber) prepare(ctx context.Context, topic string) (running, chan *message.Message, error) {
	if err := validateTopic(topic); err != nil {
		return nil, nil, err
	}
	n, err := s.partitionsOf(topic)
	if err != nil {
		return nil, nil, err
	}
	if n > 0 {
		return s.preparePartitioned(ctx, topic, n)
	}
	out := make(chan *message.Message)
	sub, err := s.prepareStream(ctx, topic, out)
	return sub, out, err
}

// prepareStream puts a subscription of a stream together.
func (s *Subscriber) prepareStream(ctx context.Context, topic string, out chan<- *message.Message) (*subscription, error) {
	stream := s.stream(topic)
	prefix := ""
	if s.config.ConsumerGroup != "" {
		var err error
		if prefix, err = xstream.Prefix(topic); err != nil {
			return nil, &ConfigError{"topic", topic, err.Error()}
		}
	}
	if err := s.checkUndivided(ctx, topic); err != nil {
		return nil, err
	}
	free, err := xstream.Reserve(stream, prefix, s.config.BlockingPoolSize-sparedBlockingPool)
	if err != nil {
		return nil, reserveError(err, topic, s.config.BlockingPoolSize)
	}
	sub := s.newSubscription(context.WithoutCancel(ctx), topic, place{stream: topic}, out)
	sub.free = free
	ctx, cancel := s.starting(ctx)
	defer cancel()
	if s.config.ConsumerGroup == "" {
		err = s.follow(ctx, sub, stream)
	} else {
		err = s.join(ctx, sub, stream, prefix)
	}
	if err != nil {
		free()
		return nil, err
	}
	sub.log.Info("Subscribed", nil)
	return sub, nil
}

// checkUndivided makes sure that a topic without Partitions has none: its messages would be
// in streams that nobody reads here. Who may not ask has to know.
func (s *Subscriber) checkUndivided(ctx context.Context, topic string) error {
	prefix, err := xstream.Prefix(topic)
	if err != nil {
		return nil //nolint:nilerr // it can't have partitions
	}
	n, err := within(ctx, maxQuietTime, func(ctx context.Context) (int, error) {
		return xstream.RecordedPartitions(ctx, s.config.Client, xstream.PartitionCount(prefix))
	})
	if err == nil && n > 1 {
		return &PartitionsError{Topic: topic, Recorded: n}
	}
	return nil
}

func reserveError(err error, topic string, size int) error {
	if errors.Is(err, xstream.ErrNoConnection) {
		return errors.Join(err, &ConfigError{"SubscriberConfig.BlockingPoolSize", size, "raise it, here and in the client's options"})
	}
	return &ConfigError{"topic", topic, err.Error()}
}

func (s *Subscriber) newSubscription(values context.Context, topic string, where place, out chan<- *message.Message) *subscription {
	sub := &subscription{
		closeTimeout: s.config.CloseTimeout,
		giveUp:       make(chan struct{}),
		backing:      unbacked{},
		empties:      s.config.AtMostOnce,
		log:          s.log.with(watermill.LogFields{"topic": topic}),
	}
	prefetch := maxPrefetch
	if s.config.AtMostOnce {
		prefetch = 1 // what is read ahead would be lost in a crash
	}
	sub.ledger = newLedger(s.config.MaxInFlight, newPace(prefetch))
	if s.config.PartitionKey != nil && s.config.MaxInFlight > 1 {
		sub.ledger.order = newKeyOrder()
	}
	sub.dispatcher = &dispatcher{
		ledger:     sub.ledger,
		opener:     s.opener(values, topic, where),
		out:        out,
		retries:    s.config.retries(),
		redelivers: !s.config.AtMostOnce,
		recall:     make(chan struct{}, 1),
		lastChance: make(chan struct{}, 1),
		group:      s.config.ConsumerGroup,
		maxLease:   s.config.MaxLease,
		giveUp:     sub.giveUp,
	}
	return sub
}

// opener makes the messages of a topic. What is in no pending list may be trimmed, and
// could not be read again, so nothing of it is lent.
func (s *Subscriber) opener(values context.Context, topic string, where place) *opener {
	o := &opener{place: where, values: values, unmarshaler: s.config.Unmarshaler, lends: s.config.ConsumerGroup != "" || s.config.AtMostOnce}
	if key := s.config.PartitionKey; key != nil {
		o.key = func(msg *message.Message) (string, error) { return key(topic, msg) }
	}
	return o
}

// follow completes a subscription without a group.
func (s *Subscriber) follow(ctx context.Context, sub *subscription, stream xstream.Stream) error {
	var start xstream.ID
	var trail *trail
	err := retry(ctx, func(ctx context.Context) (err error) {
		start, trail, err = s.position(ctx, stream)
		return err
	})
	if err != nil {
		return err
	}
	source := &streamSource{
		ledger: sub.ledger, history: history{stream: stream, log: sub.log, cursor: start, start: start, trail: trail}, appetite: &appetite{},
	}
	sub.reader = newReader(stream, source, sub.ledger, source.appetite, sub.log)
	sub.reader.block = followBlockTime
	sub.dispatcher.log = sub.log
	return nil
}

// join completes a subscription of a group's member.
func (s *Subscriber) join(ctx context.Context, sub *subscription, stream xstream.Stream, prefix string) error {
	dead, err := s.deadStream(stream.Key, prefix)
	if err != nil {
		return err
	}
	m := &member{
		group:     xstream.Group{Stream: stream, Name: s.config.ConsumerGroup},
		ledger:    sub.ledger,
		health:    newHealth(slowAnswer(s.config.MinIdle)),
		minIdle:   s.config.MinIdle,
		dead:      dead,
		maxDead:   s.config.MaxDeadLetters,
		markKey:   xstream.GroupMark(prefix, s.config.ConsumerGroup),
		consumer:  randomName(),
		restoring: make(chan struct{}, 1),
		silence:   make(chan struct{}, 1),
		unseen:    -1,

		atMostOnce: s.config.AtMostOnce,
	}
	m.recall = func() { wake(sub.dispatcher.recall) }
	membership := &membership{member: m}
	if err := retry(ctx, func(ctx context.Context) error { return s.enter(ctx, m) }); err != nil {
		return err
	}
	if s.config.Consumer != "" {
		if err := s.takeName(ctx, sub, membership, prefix); err != nil {
			return err
		}
	}
	sub.log = sub.log.with(watermill.LogFields{"consumer_group": s.config.ConsumerGroup, "consumer": m.name()})
	m.log, sub.dispatcher.log = sub.log, sub.log
	source := &groupSource{member: m, ledger: sub.ledger, noAck: s.config.AtMostOnce, joined: m.position, appetite: &appetite{}}
	sub.reader = newReader(stream, source, sub.ledger, source.appetite, sub.log)
	// What a read brings is ours since it was sent, at the latest; a read that
	// blocked for longer than that is worth would have to be verified.
	if sub.reader.block = min(groupBlockTime, s.config.MinIdle/4); s.config.AtMostOnce {
		sub.reader.block = min(followBlockTime, s.config.MinIdle/4) // nothing else notices a silent server
	}
	membership.janitor = &janitor{member: m, timeout: s.config.ConsumerTimeout, log: sub.log}
	sub.backing = membership
	if !s.config.AtMostOnce {
		s.keepPending(sub, membership, source)
		source.unseen.Store(membership.lease != nil)
	}
	return nil
}

// deadStream is the stream of a topic's dead letters. They move there in one
// step, so both streams have to be on one node.
func (s *Subscriber) deadStream(topic, prefix string) (string, error) {
	if s.config.DeadLetters == nil {
		return xstream.DeadLetters(prefix, s.config.ConsumerGroup), nil
	}
	dead := s.config.DeadLetters(topic)
	if dead == topic || !xstream.SameSlot(dead, prefix) {
		return "", &ConfigError{"SubscriberConfig.DeadLetters", dead, fmt.Sprintf("must be another stream than the topic and have its hash tag, such as %q", prefix+":failed")}
	}
	return dead, nil
}

// enter makes sure that the group is there and that we may do what we will have
// to, and learns where the group stands.
func (s *Subscriber) enter(ctx context.Context, m *member) error {
	if err := s.createGroup(ctx, m.group); err != nil {
		return err
	}
	if !s.config.AtMostOnce {
		if err := m.group.Probe(ctx); err != nil {
			return err
		}
		if _, _, err := m.group.Find(ctx, xstream.ID{Seq: 1}); err != nil { // as a large message that failed is read again
			return err
		}
	}
	if _, err := m.group.Touch(ctx, m.consumer, []xstream.Count{{ID: "0-1", Deliveries: xstream.Unchanged}}); err != nil {
		return err
	}
	mark, err := m.group.Mark(ctx, m.markKey)
	if err != nil {
		return err
	}
	position, err := m.group.Position(ctx)
	if err != nil {
		return err
	}
	last, err := m.lastID(ctx)
	m.entered(position, last, mark)
	return err
}

// takeName makes the configured consumer name ours, or one like it.
func (s *Subscriber) takeName(ctx context.Context, sub *subscription, ms *membership, prefix string) error {
	lease := &nameLease{
		stream: ms.member.group.Stream,
		key:    xstream.ConsumerLease(prefix, s.config.ConsumerGroup, s.config.Consumer),
		token:  ms.member.consumer,
		name:   s.config.Consumer,
		ttl:    s.config.MinIdle,
		log:    sub.log,
	}
	var held bool
	err := retry(ctx, func(ctx context.Context) (err error) {
		held, err = lease.hold(ctx)
		return err
	})
	switch {
	case err != nil && xstream.Classify(err) != xstream.Refused:
		return err
	case err != nil:
		sub.log.Error("No right to reserve the configured consumer name, working under another one", err, watermill.LogFields{"consumer": lease.name})
	case held:
		ms.lease, ms.member.consumer, ms.member.unseen = lease, lease.name, 0
		ms.member.confirmName = ms.confirmName
		return nil
	}
	ms.member.consumer = lease.substitute()
	return nil
}

// keepPending adds what looks after entries that the server keeps for us.
func (s *Subscriber) keepPending(sub *subscription, ms *membership, source *groupSource) {
	m, d := ms.member, sub.dispatcher
	p := &pendingWork{
		claimer:   newClaimer(m, d.opener.stream, s.config.ShouldClaim, sub.log),
		heartbeat: &heartbeat{member: m, ledger: sub.ledger, log: sub.log, maxLease: s.config.MaxLease, passOn: d.passOn},
		settlers: settlers{
			acker:      newAcker(sub.ledger, m.ack, sub.log),
			undertaker: newUndertaker(m, sub.ledger, burial{topic: d.opener.stream, group: m.group.Name, dead: m.dead}, sub.log),
		},
	}
	p.claimer.nudge, p.claimer.look, p.claimer.hang = sub.reader.interrupt, source.look, sub.reader.giveUp
	p.heartbeat.released = func() { source.released.Store(true) }
	source.claimer, d.postponed = p.claimer, p.claimer.postponed
	d.holder, d.acker, d.undertaker = m, p.acker, p.undertaker
	ms.pending = p
}

package redisstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// Subscriber receives messages from Redis Streams. It is safe for concurrent
// use.
type Subscriber struct {
	config SubscriberConfig
	log    logger

	root context.Context //nolint:containedctx // the life of the Subscriber, which Close ends
	end  context.CancelCauseFunc

	mu            sync.Mutex // protects the following fields
	closed        bool
	subscriptions sync.WaitGroup
}

var (
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)

// NewSubscriber returns a Subscriber. It does not reach for Redis yet. The error
// joins a *ConfigError for each bad field. A nil logger is silent.
func NewSubscriber(config SubscriberConfig, adapter watermill.LoggerAdapter) (*Subscriber, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	s := &Subscriber{config: config, log: newLogger(adapter)}
	s.root, s.end = context.WithCancelCause(context.Background())
	return s, nil
}

// Subscribe starts to receive a topic's messages. The topic is the key of a
// stream. Subscribe returns when the group exists, or the position is fixed from
// which on nothing is missed; it tries for at most ten seconds if Redis does not
// answer. From then on the subscription recovers by itself from whatever happens
// to Redis.
//
// The subscription ends with ctx or with Close. It hands out nothing more then,
// waits up to CloseTimeout for messages in flight to be acked or nacked, whose
// contexts go on until then, gives back the rest to the group and closes the
// channel, at the latest three seconds after CloseTimeout.
//
// Each message must be acked or nacked; see SubscriberConfig.MaxInFlight for how
// many come before that.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	subscription, out, err := s.prepare(ctx, topic)
	if err != nil {
		s.subscriptions.Done()
		return nil, fmt.Errorf("subscribe to %q: %w", topic, err)
	}
	stop, cancel := context.WithCancelCause(ctx)
	unlink := s.whenClosed(func() { cancel(ErrSubscriberClosed) })
	go func() {
		defer s.subscriptions.Done()
		defer cancel(errDrained)
		defer unlink()
		defer close(out)
		subscription.run(stop)
	}()
	return out, nil
}

// SubscribeInitialize creates the topic's stream and the consumer group, so that
// messages published from now on are not missed by a later Subscribe, whatever
// Start says. Without a group there is nothing to do.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	return s.SubscribeInitializeWithContext(s.root, topic)
}

// SubscribeInitializeWithContext is SubscribeInitialize, and gives up when ctx
// ends.
func (s *Subscriber) SubscribeInitializeWithContext(ctx context.Context, topic string) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.subscriptions.Done()
	if err := validateTopic(topic); err != nil {
		return err
	}
	if s.config.ConsumerGroup == "" {
		return nil
	}
	if _, err := xstream.Prefix(topic); err != nil {
		return &ConfigError{"topic", topic, err.Error()}
	}
	n, err := s.partitionsOf(topic)
	if err != nil {
		return err
	}
	ctx, cancel := s.starting(ctx)
	defer cancel()
	if n > 0 {
		return s.initializePartitions(ctx, topic, n)
	}
	group := xstream.Group{Stream: s.stream(topic), Name: s.config.ConsumerGroup}
	if err := retry(ctx, func(ctx context.Context) error { return s.createGroup(ctx, group) }); err != nil {
		return fmt.Errorf("initialize %q: %w", topic, err)
	}
	return nil
}

// Close ends all subscriptions and waits until they have; see Subscribe for what
// that includes and how long it may take. Calls after the first wait for the
// same. The client stays open.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end(ErrSubscriberClosed)
	s.subscriptions.Wait()
	return nil
}

// begin counts a call that Close has to wait for.
func (s *Subscriber) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrSubscriberClosed
	}
	s.subscriptions.Add(1)
	return nil
}

// whenClosed has f called when Close is.
func (s *Subscriber) whenClosed(f func()) (unlink func() bool) { return context.AfterFunc(s.root, f) }

func (s *Subscriber) stream(topic string) xstream.Stream {
	return xstream.Stream{Client: s.config.Client, Key: topic}
}

// starting returns a context for what Subscribe waits for: it ends with ctx, with
// Close, or when the start has taken too long.
func (s *Subscriber) starting(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errNoAnswer)
	unlink := s.whenClosed(func() { end(ErrSubscriberClosed) })
	return ctx, func() {
		unlink()
		cancel()
		end(nil)
	}
}

// retry repeats what fails for reasons that pass, until ctx ends.
func retry(ctx context.Context, command func(ctx context.Context) error) error {
	for failures := 1; ; failures++ {
		err := attempt(ctx, command)
		if err == nil {
			return nil
		}
		if isPermanent(err) || xstream.Classify(err) == xstream.Refused || xstream.IsClosed(err) && failures >= closedAttempts {
			return err
		}
		if !pause(ctx, retryPause(failures)) {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// closedAttempts is how often a client may say that it is closed before that is
// believed: it says so too when the master has changed under it.
const closedAttempts = 5

// attempt runs a command and returns when ctx ends, even if the client does not:
// on a frozen server it may wait for a reply whatever the context says.
func attempt(ctx context.Context, command func(ctx context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- command(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// createGroup creates the group if there is none, where the configuration says.
func (s *Subscriber) createGroup(ctx context.Context, group xstream.Group) error {
	start := "0"
	switch s.config.Start.kind {
	case startNewest:
		start = "$"
	case startAfter:
		start = s.config.Start.after.String()
	default:
	}
	return group.Create(ctx, start)
}

// position is where a subscription without a group begins, as an ID, and what is
// known of the stream. It asks Redis in any case: what can never work should fail
// here.
func (s *Subscriber) position(ctx context.Context, stream xstream.Stream) (xstream.ID, *trail, error) {
	t := &trail{}
	last, _, err := stream.LastID(ctx)
	if err != nil {
		return last, t, err
	}
	if oldest, err := stream.Range(ctx, xstream.ID{}, 1); err == nil && len(oldest) == 1 {
		t.first = oldest[0].ID // helpful, and no more: the right to XRANGE may be missing
	}
	t.add(last)
	switch s.config.Start.kind {
	case startNewest:
		return last, t, nil
	case startAfter:
		return s.config.Start.after, t, nil
	default:
		return xstream.ID{}, t, nil
	}
}

// slowAnswer is how long an answer of Redis may take before it counts as an
// outage.
func slowAnswer(minIdle time.Duration) time.Duration {
	return min(max(minIdle/4, 250*time.Millisecond), 2*time.Second)
}

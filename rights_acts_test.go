package redisstream_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
)

// What each role does, so that it needs each of its rights.

// actsOf are those of a role; the last ones are for topics with partitions.
func actsOf(role string) []act {
	switch role {
	case "publisher":
		return []act{publishes(0), publishes(1), publishes(2)}
	case "first-user":
		return []act{publishes(0), publishes(1), publishes(2), publishesFirst}
	case "group-consumer":
		return []act{consumes, consumesPartitions(1), consumesPartitions(2)}
	case "fanout-consumer":
		return []act{follows(0), follows(1), follows(2)}
	case "administrator":
		return []act{administers(0), administers(1), administers(2)}
	default:
		return nil
	}
}

func divided(n int) func(string) int { return func(string) int { return n } }

// streamsOf are the streams of a topic with n partitions; 0 is none.
func (s *scene) streamsOf(n int) []string {
	if n < 2 {
		return []string{s.topic}
	}
	var streams []string
	for i := range n {
		streams = append(streams, s.topic+":"+strconv.Itoa(i))
	}
	return streams
}

// record is what somebody else has done before.
func (s *scene) record(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	_, err := s.as(ctx, "HSET", "{"+s.topic+"}:partitions", "n", strconv.Itoa(n))
	return err
}

// add adds a message for each key, by somebody who may.
func (s *scene) add(ctx context.Context, streams []string) error {
	for _, stream := range streams {
		if _, err := s.as(ctx, "XADD", stream, "*", redisstream.UUIDField, watermill.NewUUID(), "metadata", "\x80", "payload", "x"); err != nil {
			return err
		}
	}
	return nil
}

// addBad adds entries that are no messages: one that a script can move, and one that it can't.
func (s *scene) addBad(ctx context.Context, stream string) error {
	large := append([]string{"XADD", stream, "*"}, slices.Repeat([]string{"a", "b"}, 4000)...)
	_, err := s.as(ctx, "XADD", stream, "*", "not", "a message")
	_, err2 := s.as(ctx, large...)
	return errors.Join(err, err2)
}

func publishes(n int) act {
	return func(ctx context.Context, s *scene, client rueidis.Client) error {
		if err := s.record(ctx, n); err != nil {
			return err
		}
		p, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client, Partitions: divided(n)}, nil)
		if err != nil {
			return err
		}
		defer func() { _ = p.Close() }()
		return errors.Join(p.Publish(s.topic, newMessages(1)...), p.Publish(s.topic, newMessages(4)...), s.idle(ctx))
	}
}

// publishesFirst records the number of partitions.
func publishesFirst(ctx context.Context, s *scene, client rueidis.Client) error {
	p, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client, Partitions: divided(2)}, nil)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	return errors.Join(s.empty(ctx), p.Publish(s.topic, newMessages(1)...))
}

// empty makes a stream of the topic that has no entries.
func (s *scene) empty(ctx context.Context) error {
	_, err := s.as(ctx, "XADD", s.topic, "1-1", "a", "1")
	_, err2 := s.as(ctx, "XDEL", s.topic, "1-1")
	return errors.Join(err, err2)
}

// idle waits until one of the user's connections has been pinged.
func (s *scene) idle(ctx context.Context) error {
	return until(ctx, func() bool {
		list, _ := s.as(ctx, "CLIENT", "LIST")
		text, _ := list.(string)
		return slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool {
			return strings.Contains(line, " user="+s.user+" ") && strings.Contains(line, " cmd=ping ")
		})
	})
}

// reads subscribes, and calls do with a function that acks n messages more.
func reads(ctx context.Context, scene *scene, config redisstream.SubscriberConfig, do func(get func(n int) error) error) error {
	config.CloseTimeout = 50 * time.Millisecond
	s, err := redisstream.NewSubscriber(config, scene.log)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	out, err := s.Subscribe(ctx, scene.topic)
	if err != nil {
		return err
	}
	return do(func(n int) error {
		for range n {
			select {
			case msg, ok := <-out:
				if !ok {
					return errors.New("the channel was closed")
				}
				msg.Ack()
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
}

func consumes(ctx context.Context, s *scene, client rueidis.Client) error {
	if err := errors.Join(s.addBad(ctx, s.topic), s.add(ctx, []string{s.topic})); err != nil {
		return err
	}
	config := redisstream.SubscriberConfig{Client: client, ConsumerGroup: "billing", Consumer: "me", MinIdle: time.Second}
	return reads(ctx, s, config, func(get func(int) error) error {
		if err := errors.Join(get(1), s.awaitLetters(ctx, s.topic, 2)); err != nil {
			return err
		}
		_, err := s.as(ctx, "XGROUP", "DESTROY", s.topic, "billing")
		return errors.Join(err, s.add(ctx, []string{s.topic}), get(1), s.idle(ctx))
	})
}

func (s *scene) awaitLetters(ctx context.Context, stream string, n int64) error {
	return until(ctx, func() bool {
		found, _ := s.as(ctx, "XLEN", "{"+stream+"}:dead:billing")
		return found == n
	})
}

func consumesPartitions(n int) act {
	return func(ctx context.Context, s *scene, client rueidis.Client) error {
		config := redisstream.SubscriberConfig{Client: client, ConsumerGroup: "billing", Partitions: divided(n), LeaseTTL: time.Second}
		streams, prefix := s.streamsOf(n), "{"+s.topic+"}"
		if err := s.empty(ctx); err != nil {
			return err
		}
		return reads(ctx, s, config, func(get func(int) error) error {
			if err := errors.Join(s.add(ctx, streams), get(n)); err != nil {
				return err
			}
			for _, stream := range streams {
				if err := errors.Join(s.addBad(ctx, stream), s.awaitLetters(ctx, stream, 2)); err != nil {
					return err
				}
			}
			// A member that is overdue, and one that is on no list.
			_, err := s.as(ctx, "ZADD", prefix+":members:billing", "1", "overdue")
			_, err2 := s.as(ctx, "HSET", prefix+":owned:billing", "overdue", "", "nobody", "", "no one", "")
			return errors.Join(err, err2, until(ctx, func() bool {
				left, _ := s.as(ctx, "HLEN", prefix+":owned:billing")
				return left == int64(1)
			}))
		})
	}
}

func follows(n int) act {
	return func(ctx context.Context, s *scene, client rueidis.Client) error {
		streams := s.streamsOf(n)
		if err := errors.Join(s.record(ctx, n), s.add(ctx, streams)); err != nil {
			return err
		}
		config := redisstream.SubscriberConfig{Client: client, Start: redisstream.StartOldest(), Partitions: divided(n)}
		return reads(ctx, s, config, func(get func(int) error) error {
			return errors.Join(get(len(streams)), s.add(ctx, streams), get(len(streams)), s.idle(ctx))
		})
	}
}

func administers(n int) act {
	return func(ctx context.Context, s *scene, client rueidis.Client) error {
		config := redisstream.SubscriberConfig{Client: client, ConsumerGroup: "billing", Partitions: divided(n)}
		a, err := redisstream.NewSubscriber(config, nil)
		if err != nil {
			return err
		}
		defer func() { _ = a.Close() }()
		if err := a.SubscribeInitializeWithContext(ctx, s.topic); err != nil {
			return err
		}
		for i, stream := range s.streamsOf(n) {
			dead, err := deadLettersIn(a, s.topic, n, i)
			if err == nil {
				err = s.administer(ctx, stream, dead)
			}
			if err != nil {
				return err
			}
		}
		if n == 0 {
			return s.idle(ctx)
		}
		err = redisstream.SwitchPartitions(ctx, client, s.topic, n, 8)
		if !errors.Is(err, redisstream.ErrNotDrained) {
			return err
		}
		for _, stream := range s.streamsOf(n) {
			if _, err := s.as(ctx, "DEL", stream); err != nil {
				return err
			}
		}
		return redisstream.SwitchPartitions(ctx, client, s.topic, n, 8)
	}
}

func deadLettersIn(s *redisstream.Subscriber, topic string, n, partition int) (*redisstream.DeadLetters, error) {
	if n > 1 {
		return s.PartitionDeadLetters(topic, partition)
	}
	return s.DeadLetters(topic)
}

// administer requeues a letter whose entry is there and one whose is not, and deletes one.
func (s *scene) administer(ctx context.Context, stream string, dead *redisstream.DeadLetters) error {
	there, err := s.as(ctx, "XADD", stream, "*", "a", "1")
	for _, id := range []any{there, "1-1", "1-2"} {
		text, _ := id.(string)
		_, err2 := s.as(ctx, "XADD", dead.Stream(), "*", "a", "1",
			redisstream.DeadReasonField, "why", redisstream.DeadTopicField, stream, redisstream.DeadHandlerField, "",
			redisstream.DeadSubscriberField, "", redisstream.DeadEntryIDField, text, redisstream.DeadGroupField, "billing",
			redisstream.DeadConsumerField, "", redisstream.DeadDeliveriesField, "1",
			redisstream.DeadFirstTimeField, "2020-01-01T00:00:00Z", redisstream.DeadLastTimeField, "2020-01-01T00:00:00Z")
		err = errors.Join(err, err2)
	}
	letters, err2 := dead.List(ctx, "", 9)
	if err = errors.Join(err, err2); err != nil {
		return err
	}
	if len(letters) != 3 {
		return errors.New("not all letters are listed")
	}
	for _, l := range letters[:2] {
		if ok, err := dead.Requeue(ctx, l.ID); err != nil || !ok {
			return errors.Join(err, errors.New("not requeued"))
		}
	}
	if n, err := dead.Delete(ctx, letters[2].ID); err != nil || n != 1 {
		return errors.Join(err, errors.New("not deleted"))
	}
	if n, err := dead.Len(ctx); err != nil || n != 0 {
		return errors.Join(err, errors.New("some are left"))
	}
	return nil
}

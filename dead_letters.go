package redisstream

import (
	"context"
	"fmt"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// DeadLetters is what a group gave up of one topic: a stream of its own, of which
// nothing is dropped but by Delete, Requeue and SubscriberConfig.MaxDeadLetters.
// It is safe for concurrent use, and needs no Close.
type DeadLetters struct {
	letters xstream.Stream
	group   xstream.Group
}

// DeadLetters returns the dead letters of the Subscriber's group for a topic. It
// does not reach for Redis, needs no subscription, and works after Close. The partitions
// of a topic have dead letters of their own: see PartitionDeadLetters.
func (s *Subscriber) DeadLetters(topic string) (*DeadLetters, error) {
	if err := validateTopic(topic); err != nil {
		return nil, err
	}
	n, err := s.partitionsOf(topic)
	if err != nil {
		return nil, err
	}
	if n > 1 {
		return nil, &ConfigError{"topic", topic, fmt.Sprintf("each of its %d partitions has dead letters of its own: use PartitionDeadLetters", n)}
	}
	return s.deadLettersOf(topic)
}

// PartitionDeadLetters is DeadLetters for a partition of a topic, from 0 on.
func (s *Subscriber) PartitionDeadLetters(topic string, partition int) (*DeadLetters, error) {
	if err := validateTopic(topic); err != nil {
		return nil, err
	}
	n, err := s.partitionsOf(topic)
	if err != nil {
		return nil, err
	}
	if partition < 0 || partition >= n {
		return nil, &ConfigError{"partition", partition, fmt.Sprintf("topic %q has %d, counted from 0", topic, n)}
	}
	return s.deadLettersOf(xstream.PartitionStream(topic, partition, n))
}

// deadLettersOf are those of a stream.
func (s *Subscriber) deadLettersOf(stream string) (*DeadLetters, error) {
	if s.config.ConsumerGroup == "" {
		return nil, &ConfigError{"SubscriberConfig.ConsumerGroup", "", "only a group has dead letters"}
	}
	if s.config.AtMostOnce {
		return nil, &ConfigError{"SubscriberConfig.AtMostOnce", true, "its group has no dead letters: nothing of it stays with Redis"}
	}
	prefix, err := xstream.Prefix(stream)
	if err != nil {
		return nil, &ConfigError{"topic", stream, err.Error()}
	}
	dead, err := s.deadStream(stream, prefix)
	if err != nil {
		return nil, err
	}
	return &DeadLetters{
		letters: s.stream(dead),
		group:   xstream.Group{Stream: s.stream(stream), Name: s.config.ConsumerGroup},
	}, nil
}

// Stream returns the key of the stream that the letters are in. It can be
// subscribed to as a topic: DefaultMarshaler makes messages of the letters.
func (d *DeadLetters) Stream() string { return d.letters.Key }

// Len returns how many there are.
func (d *DeadLetters) Len(ctx context.Context) (int64, error) {
	n, err := d.letters.Len(ctx)
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	return n, nil
}

// List returns up to limit letters, the oldest first, that come after the letter
// with the ID after, or from the first on if that is "". An entry of the stream
// that is no dead letter has only its ID and Fields.
func (d *DeadLetters) List(ctx context.Context, after string, limit int) ([]DeadLetter, error) {
	if limit < 1 {
		return nil, &ConfigError{"limit", limit, "must be at least 1"}
	}
	var from xstream.ID
	if after != "" {
		id, err := parseLetterID(after)
		if err != nil {
			return nil, err
		}
		from = id.Next()
	}
	entries, err := d.letters.Range(ctx, from, limit)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	letters := make([]DeadLetter, len(entries))
	for i := range entries {
		letters[i], _ = parseDeadLetter(&entries[i])
	}
	return letters, nil
}

// Requeue gives the entry of a letter back to the group that gave it up, and to
// no other, in one step: its deliveries are counted from 1 again, and the letter
// is deleted. It comes next, before what is newer.
//
// If the entry was trimmed or deleted, a copy of it is added to the topic, which
// other groups and subscriptions of this library skip; other libraries take it for
// a message.
//
// It reports false when there is no such letter, as after another Requeue, so it
// may be repeated after an error. If the entry is pending in the group anyway, only
// the letter is deleted.
func (d *DeadLetters) Requeue(ctx context.Context, id string) (bool, error) {
	at, err := parseLetterID(id)
	if err != nil {
		return false, err
	}
	entries, err := d.letters.Range(ctx, at, 1)
	if err != nil {
		return false, fmt.Errorf("requeue dead letter %s: %w", id, err)
	}
	if len(entries) == 0 || entries[0].ID != at {
		return false, nil
	}
	letter, ok := parseDeadLetter(&entries[0])
	if !ok {
		return false, fmt.Errorf("requeue %s: the entry of %q is no dead letter", id, d.letters.Key)
	}
	if letter.Topic != d.group.Key || letter.Group != d.group.Name {
		return false, fmt.Errorf("requeue %s: it is of topic %q and group %q, not of %q and %q", id, letter.Topic, letter.Group, d.group.Key, d.group.Name)
	}
	requeued, err := d.group.Requeue(ctx, requeueOf(d.letters.Key, &letter))
	if err != nil {
		return false, fmt.Errorf("requeue dead letter %s: %w", id, err)
	}
	return requeued, nil
}

// Delete deletes letters for good and returns how many of them there were.
func (d *DeadLetters) Delete(ctx context.Context, ids ...string) (int64, error) {
	for _, id := range ids {
		if _, err := parseLetterID(id); err != nil {
			return 0, err
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	n, err := d.letters.Delete(ctx, ids)
	if err != nil {
		return n, fmt.Errorf("delete dead letters: %w", err)
	}
	return n, nil
}

func parseLetterID(id string) (xstream.ID, error) {
	at, err := xstream.ParseID(id)
	if err != nil {
		return at, &ConfigError{"dead letter ID", id, `must be an entry ID such as "1526919030474-55"`}
	}
	return at, nil
}

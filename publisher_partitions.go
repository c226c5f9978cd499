package redisstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// partitionedTopics are those that a Publisher has published to.
type partitionedTopics struct {
	mu    sync.RWMutex // protects the following field
	known map[topicSize]*partitionedTopic
}

// topicSize is a topic with a number of partitions. Another number makes another topic of
// it, so that it is checked anew.
type topicSize struct {
	topic string
	n     int
}

// partitionedTopic is what a Publisher knows of a topic.
type partitionedTopic struct {
	streams []string      // of its partitions
	next    atomic.Uint64 // whose turn it is to get a message without a key
	check   countCheck
}

// partitions is how many partitions a topic has; 0 when it is not partitioned.
func (p *Publisher) partitions(topic string) (int, error) {
	n := p.config.Partitions(topic)
	if n < 0 || n > maxPartitions {
		return 0, &ConfigError{"PublisherConfig.Partitions", n, fmt.Sprintf("must return 0, for a topic without partitions, or from 1 to %d", maxPartitions)}
	}
	return n, nil
}

// partitioned returns what is known of a topic.
func (p *Publisher) partitioned(topic string, n int) (*partitionedTopic, error) {
	key := topicSize{topic, n}
	p.topics.mu.RLock()
	t := p.topics.known[key]
	p.topics.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	t, err := p.newPartitioned(topic, n)
	if err != nil {
		return nil, err
	}
	p.topics.mu.Lock()
	defer p.topics.mu.Unlock()
	if first := p.topics.known[key]; first != nil {
		return first, nil
	}
	if p.topics.known == nil {
		p.topics.known = map[topicSize]*partitionedTopic{}
	}
	p.topics.known[key] = t
	return t, nil
}

func (p *Publisher) newPartitioned(topic string, n int) (*partitionedTopic, error) {
	prefix, err := xstream.Prefix(topic)
	if err != nil {
		return nil, &ConfigError{"topic", topic, err.Error()}
	}
	t := &partitionedTopic{streams: partitionStreams(topic, n)}
	t.next.Store(rand.Uint64()) //nolint:gosec // so that not all processes begin with the same
	t.check.ask = func(ctx context.Context) error {
		err := xstream.RecordPartitions(ctx, xstream.Stream{Client: p.config.Client, Key: topic}, xstream.PartitionCount(prefix), n)
		if err = partitionsError(topic, n, err); err != nil {
			return fmt.Errorf("check the number of partitions: %w", err)
		}
		return nil
	}
	t.check.skipped = func(err error) {
		p.log.Debug("Number of partitions not checked, publishing goes on", watermill.LogFields{"topic": topic, "err": err})
	}
	return t, nil
}

func partitionStreams(topic string, n int) []string {
	streams := make([]string, n)
	for i := range streams {
		streams[i] = xstream.PartitionStream(topic, i, n)
	}
	return streams
}

// partitionsError says of which topic another number is recorded.
func partitionsError(topic string, n int, err error) error {
	var other *xstream.CountError
	if errors.As(err, &other) {
		return &PartitionsError{Topic: topic, Configured: n, Recorded: other.Recorded}
	}
	return err
}

// publishPartitioned does what Publish does, for a topic with n partitions.
func (p *Publisher) publishPartitioned(topic string, n int, messages []*message.Message, maxLen int64) error {
	t, err := p.partitioned(topic, n)
	if err == nil {
		err = t.check.do(messages[0].Context())
	}
	if err != nil {
		return newPublishError(topic, messages, err)
	}
	ctx := withoutEnd(messages[0].Context())
	if len(messages) > 1 {
		return p.publishApart(ctx, topic, t, messages, maxLen)
	}
	i, err := p.partitionOf(topic, t, messages[0])
	if err != nil {
		return newPublishError(topic, messages, err)
	}
	e, err := p.entry(topic, messages[0], maxLen, make([]string, 0, 2*usualFields))
	if err != nil {
		return newPublishError(topic, messages, err)
	}
	return p.report(topic, messages, p.adder.AddOne(ctx, t.streams[i], &e))
}

// publishApart publishes several messages, each to its partition.
func (p *Publisher) publishApart(ctx context.Context, topic string, t *partitionedTopic, messages []*message.Message, maxLen int64) error {
	places, ends, err := p.places(topic, t, messages)
	if err != nil {
		return newPublishError(topic, messages, err)
	}
	entries, err := p.entries(topic, messages, maxLen)
	if err != nil {
		return newPublishError(topic, messages, err)
	}
	sorted := make([]xstream.Addition, len(entries))
	for i, at := range places {
		sorted[at] = entries[i]
	}
	parts := make([]xstream.Part, 0, min(len(messages), len(ends)))
	begin := 0
	for i, end := range ends {
		if begin < end {
			parts = append(parts, xstream.Part{Stream: t.streams[i], Entries: sorted[begin:end]})
		}
		begin = end
	}
	added := p.adder.AddParts(ctx, parts)
	inOrder := make([]xstream.Added, len(added))
	for i, at := range places {
		inOrder[i] = added[at]
	}
	return p.report(topic, messages, inOrder...)
}

// places returns for each message its place among all when they are sorted by partition,
// those of each in their order; and where each partition's end there.
func (p *Publisher) places(topic string, t *partitionedTopic, messages []*message.Message) (places, ends []int, err error) {
	places, ends = make([]int, len(messages)), make([]int, len(t.streams)+1)
	for i, msg := range messages {
		if places[i], err = p.partitionOf(topic, t, msg); err != nil {
			return nil, nil, err
		}
		ends[places[i]+1]++
	}
	for i := range t.streams {
		ends[i+1] += ends[i] // where the partition behind it begins
	}
	for i, partition := range places {
		places[i] = ends[partition]
		ends[partition]++ // at last, its end
	}
	return places, ends[:len(t.streams)], nil
}

// partitionOf is where a message goes.
func (p *Publisher) partitionOf(topic string, t *partitionedTopic, msg *message.Message) (int, error) {
	n := len(t.streams)
	if p.config.PartitionKey != nil {
		key, err := p.config.PartitionKey(topic, msg)
		if err != nil {
			return 0, fmt.Errorf("partition key of message %s: %w", msg.UUID, err)
		}
		if key != "" {
			return PartitionOf(key, n), nil
		}
	}
	return int((t.next.Add(1) - 1) % uint64(n)), nil //nolint:gosec // less than n
}

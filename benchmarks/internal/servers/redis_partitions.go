package servers

import (
	"context"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// Partitions are those of a topic, as a group of ours has them.
type Partitions struct {
	Topic, Group string
	Count        int
}

// Streams has the stream of each.
func (p Partitions) Streams() []string {
	streams := make([]string, p.Count)
	for i := range streams {
		streams[i] = xstream.PartitionStream(p.Topic, i, p.Count)
	}
	return streams
}

// FillPartitions is Fill for the partitions of a topic, which get as many entries each.
func (r *Redis) FillPartitions(ctx context.Context, p Partitions, messages []*message.Message, n int) error {
	for i, stream := range p.Streams() {
		if err := r.Fill(ctx, stream, messages, (n+i)/p.Count); err != nil {
			return err
		}
	}
	return nil
}

// Owners asks the leases which member has each partition, "" for none.
func (r *Redis) Owners(ctx context.Context, p Partitions) ([]string, error) {
	commands := make(rueidis.Commands, p.Count)
	for i, stream := range p.Streams() {
		prefix, err := xstream.Prefix(stream)
		if err != nil {
			return nil, err
		}
		commands[i] = r.client.B().Hget().Key(xstream.PartitionLease(prefix, p.Group)).Field("owner").Build()
	}
	owners := make([]string, p.Count)
	for i, reply := range r.client.DoMulti(ctx, commands...) {
		owner, err := reply.ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			return nil, err
		}
		owners[i] = owner
	}
	return owners, nil
}

// Owned asks how many partitions each member says that it has.
func (r *Redis) Owned(ctx context.Context, p Partitions) (map[string]int, error) {
	prefix, err := xstream.Prefix(p.Topic)
	if err != nil {
		return nil, err
	}
	said, err := r.client.Do(ctx, r.client.B().Hgetall().Key(xstream.Owned(prefix, p.Group)).Build()).AsStrMap()
	if err != nil {
		return nil, err
	}
	owned := make(map[string]int, len(said))
	for member, text := range said {
		list, _, _ := strings.Cut(text, ";") // behind it is what the member can't reach
		owned[member] = len(strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '!' }))
	}
	return owned, nil
}

// HasHolders reports whether so many consumers of the group have entries.
func (r *Redis) HasHolders(ctx context.Context, stream, group string, n int) (bool, error) {
	summary, err := r.client.Do(ctx, r.client.B().Xpending().Key(stream).Group(group).Build()).ToArray()
	if err != nil || len(summary) < 4 || summary[3].IsNil() {
		return false, err
	}
	holders, err := summary[3].ToArray()
	return len(holders) == n, err
}

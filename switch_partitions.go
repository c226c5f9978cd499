package redisstream

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// SwitchPartitions changes the number of a topic's partitions. A key may belong to another
// partition then, so for its messages to stay in their order, those in the old partitions
// have to be done first:
//
//  1. Stop everything that publishes to the topic. This is up to you, as nothing here can
//     see it: what is published during the call may stay behind, unread.
//  2. Let the subscribers go on until all groups have handled everything. Messages that
//     wait for a retry count as well. Subscriptions without a group are not seen from here.
//  3. Call SwitchPartitions. While something is left, it returns an error that is
//     ErrNotDrained and says for which group of which stream, and changes nothing: call it
//     again later. A group that nobody uses any more needs XGROUP DESTROY.
//  4. Give subscribers the new number and start them, and then the publishers: the
//     streams of new partitions have no groups yet, and a group that does not begin
//     with the oldest entry misses what is there before it. Whoever still has the old
//     number finds out within seconds, and is refused.
//
// The numbers are from 1 to 1024. To divide a topic that had no partitions so far,
// switch from 1. Fewer than before is allowed: the streams of partitions that are no more
// stay until they are deleted, with their groups. Dead letters stay where they are too;
// requeue them before.
//
// The error is a *PartitionsError if the topic does not have as many partitions as from
// says. After an error of the network, the number may have been changed.
func SwitchPartitions(ctx context.Context, client rueidis.Client, topic string, from, to int) error {
	key, err := switchKey(client, topic, from, to)
	if err != nil {
		return err
	}
	// First, so that it is those streams that count.
	if err := xstream.SwitchPartitions(ctx, client, key, from, from); err != nil {
		return switchError(topic, from, to, partitionsError(topic, from, err))
	}
	left, err := xstream.Leftovers(ctx, client, partitionStreams(topic, from))
	if err == nil && len(left) > 0 {
		err = notDrained(left)
	}
	if err != nil {
		return switchError(topic, from, to, err)
	}
	if err := xstream.SwitchPartitions(ctx, client, key, from, to); err != nil {
		return switchError(topic, from, to, partitionsError(topic, from, err))
	}
	return nil
}

// switchKey checks the arguments, and returns the key that has the number.
func switchKey(client rueidis.Client, topic string, from, to int) (string, error) {
	if client == nil {
		return "", &ConfigError{"client", nil, "a rueidis.Client is required"}
	}
	if err := validateTopic(topic); err != nil {
		return "", err
	}
	prefix, err := xstream.Prefix(topic)
	if err != nil {
		return "", &ConfigError{"topic", topic, err.Error()}
	}
	switch allowed := fmt.Sprintf("must be from 1 to %d", maxPartitions); {
	case from < 1 || from > maxPartitions:
		return "", &ConfigError{"from", from, allowed}
	case to < 1 || to > maxPartitions:
		return "", &ConfigError{"to", to, allowed}
	case from == to:
		return "", &ConfigError{"to", to, "must be another number"}
	}
	return xstream.PartitionCount(prefix), nil
}

func switchError(topic string, from, to int, err error) error {
	return fmt.Errorf("switch topic %q from %d to %d partitions: %w", topic, from, to, err)
}

// notDrained tells of the first of those that are left, and how many others there are.
func notDrained(left []xstream.Leftover) error {
	l := left[0]
	unread := strconv.FormatInt(l.Unread, 10)
	if l.Unread < 0 {
		unread = "some"
	}
	others := ""
	if len(left) > 1 {
		others = fmt.Sprintf(", and so it is for %d more", len(left)-1)
	}
	return fmt.Errorf("%w: stream %q has %d pending and %s unread entries for group %q%s", ErrNotDrained, l.Stream, l.Pending, unread, l.Group, others)
}

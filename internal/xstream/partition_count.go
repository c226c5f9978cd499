package xstream

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
)

// RecordPartitions records at key, which is that of PartitionCount, that a topic has n
// partitions, unless a number is recorded there. It returns a *CountError when that is
// another one. A topic of which none is recorded, and that has entries, has one. Who finds
// the number needs no right to write.
func RecordPartitions(ctx context.Context, topic Stream, key string, n int) error {
	recorded, err := RecordedPartitions(ctx, topic.Client, key)
	switch {
	case err != nil:
		return fmt.Errorf("recorded number of partitions: %w", err)
	case recorded == n:
		return nil
	case recorded != 0:
		return &CountError{Recorded: recorded}
	}
	text := strconv.Itoa(n)
	return compareCount(recordPartitions.Exec(ctx, topic.Client, []string{topic.Key, key}, []string{text}), text)
}

// RecordedPartitions returns the number that is recorded at key; 0 is none.
func RecordedPartitions(ctx context.Context, client rueidis.Client, key string) (int, error) {
	n, err := Stream{Client: client, Key: key}.read(ctx, "HGET", "", "n").AsInt64()
	return int(n), ignoreNil(err)
}

// SwitchPartitions changes the number that is recorded at key, if it is from. Otherwise it
// returns a *CountError, of 0 when none is recorded: then from must be 1, because a topic
// of which nobody has said anything has one stream. With from = to it changes nothing, and
// checks the number.
func SwitchPartitions(ctx context.Context, client rueidis.Client, key string, from, to int) error {
	text := strconv.Itoa(from)
	return compareCount(switchPartitions.Exec(ctx, client, []string{key}, []string{text, strconv.Itoa(to)}), text)
}

// compareCount reads the reply of a script that says what was recorded.
func compareCount(reply rueidis.RedisResult, want string) error {
	recorded, err := reply.ToString()
	if err != nil || recorded == want {
		return err
	}
	n, err := strconv.Atoi(recorded)
	if err != nil {
		return fmt.Errorf("recorded number of partitions: %w", err)
	}
	return &CountError{Recorded: n}
}

package xstream

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"
)

// RecordPartitions records at key, which is that of PartitionCount, that a topic has n
// partitions, unless a number is recorded there. It returns a *CountError when that is
// another one.
func RecordPartitions(ctx context.Context, client rueidis.Client, key string, n int) error {
	text := strconv.Itoa(n)
	return compareCount(recordPartitions.Exec(ctx, client, []string{key}, []string{text}), text)
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

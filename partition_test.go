package redisstream_test

import (
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// A key has its partition for good: entries stay in streams for a long time.
func TestPartitionOfHasGoldenNumbers(t *testing.T) {
	t.Parallel()
	counts := [4]int{3, 8, 12, 1024}
	for _, c := range []struct {
		key      string
		negative bool // the hash, as a signed number
		want     [4]int
	}{
		{"", true, [4]int{0, 3, 3, 571}},
		{"a", true, [4]int{0, 4, 0, 724}},
		{"b", true, [4]int{0, 3, 3, 539}},
		{"foobar", true, [4]int{0, 0, 0, 664}},
		{"order-1", false, [4]int{1, 5, 1, 365}},
		{"order-42", false, [4]int{2, 4, 8, 756}},
		{"customer/7", true, [4]int{1, 1, 1, 913}},
		{"ключ", true, [4]int{2, 7, 11, 543}},
		{"注文", false, [4]int{2, 3, 11, 427}},
		{"\x00\xff", true, [4]int{0, 0, 0, 96}},
		{"key with spaces", true, [4]int{2, 5, 5, 165}},
	} {
		require.Equal(t, c.negative, int32(saramas(c.key)) < 0, c.key) //nolint:gosec // it is a hash
		for i, n := range counts {
			require.Equal(t, c.want[i], redisstream.PartitionOf(c.key, n), "%q of %d", c.key, n)
		}
		for n := -1; n < 2; n++ {
			require.Zero(t, redisstream.PartitionOf(c.key, n))
		}
	}
}

func saramas(key string) uint32 {
	hasher := fnv.New32a()
	_, _ = hasher.Write([]byte(key))
	return hasher.Sum32()
}

// The reference is the text of Sarama's hash partitioner.
func TestPartitionOfIsThatOfSarama(t *testing.T) {
	t.Parallel()
	for range 100_000 {
		key := strconv.FormatUint(rand.Uint64(), 1+rand.IntN(35)+1)
		n := int32(1 + rand.IntN(1024)) //nolint:gosec // at most 1024
		partition := int32(saramas(key)) % n
		if partition < 0 {
			partition = -partition
		}
		require.Equal(t, int(partition), redisstream.PartitionOf(key, int(n)), "%q of %d", key, n)
	}
}

//nolint:paralleltest // AllocsPerRun counts what the whole process allocates.
func TestPartitionOfAllocs(t *testing.T) {
	key := "a key that is longer than what fits into any buffer of the stack of a function " + t.Name()
	require.Zero(t, testing.AllocsPerRun(1000, func() { _ = redisstream.PartitionOf(key, 1024) }))
}

func TestKeyFromMetadata(t *testing.T) {
	t.Parallel()
	msg := message.NewMessage("1", nil)
	key := redisstream.KeyFromMetadata("customer")
	for _, want := range []string{"", "7"} {
		msg.Metadata.Set("customer", want)
		got, err := key("orders", msg)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	msg.Metadata = nil
	got, err := key("orders", msg)
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestPartitionsErrorSaysBothNumbers(t *testing.T) {
	t.Parallel()
	err := error(&redisstream.PartitionsError{Topic: "orders", Configured: 8, Recorded: 16})
	require.EqualError(t, err, `topic "orders" has 16 partitions, and 8 are configured: use 16, or see SwitchPartitions on changing it`)
	err = &redisstream.PartitionsError{Topic: "orders", Configured: 8}
	require.EqualError(t, err, `topic "orders" has no number of partitions recorded, and 8 are expected`)
}

package main

import (
	"fmt"
	"testing"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"

	"github.com/watermill-rueidis/redisstream"
)

// One function says for both what the key of a message is.
var (
	_ kafka.GeneratePartitionKey = accountOf
	_ redisstream.KeyFunc        = accountOf
)

func TestRedisKeepsTheOrderOfEachAccount(t *testing.T) {
	t.Setenv("KAFKA_BROKERS", "")
	if err := run(t.Context()); err != nil { // it checks the order by itself
		t.Fatal(err)
	}
}

func TestBookNoticesWhatIsNotInOrder(t *testing.T) {
	t.Parallel()
	b := newBook(nil)
	for _, number := range []int{1, 2, 2} { // what comes again is in order
		if err := b.begin("account 0", number, 0); err != nil {
			t.Fatal(err)
		}
		b.end("member 1", "account 0", number)
	}
	if b.repeated != 1 || b.verdict() != nil {
		t.Errorf("repeated %d, verdict %v", b.repeated, b.verdict())
	}
	_ = b.begin("account 0", 4, 0)
	_ = b.begin("account 0", 3, 1)
	if len(b.errs) != 2 {
		t.Errorf("a gap and a move of the partition are %d errors: %v", len(b.errs), b.verdict())
	}
}

func TestKeysKeepTheirPartitions(t *testing.T) {
	t.Parallel()
	partitioner := sarama.NewHashPartitioner(topic)
	for _, n := range []int{1, 2, 3, 12, 1024} {
		for i := range 1000 {
			key := fmt.Sprint("key ", i)
			want, err := partitioner.Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(key)}, int32(n)) //nolint:gosec // few
			if err != nil {
				t.Fatal(err)
			}
			if got := redisstream.PartitionOf(key, n); got != int(want) {
				t.Fatalf("%q is in partition %d of %d, and in Kafka in %d", key, got, n, want)
			}
		}
	}
}

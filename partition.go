package redisstream

import "github.com/ThreeDotsLabs/watermill/message"

// maxPartitions bounds what a mistake in a configuration costs, and what one Publish may
// send at once.
const maxPartitions = 1024

// KeyFunc returns the key of a message of a partitioned topic. Messages with the same key
// go to the same partition, and so stay in their order. "" is no key: such messages are
// spread evenly over the partitions. An error refuses the message, and nothing of its call
// is published.
//
// The functions that are given to NewWithPartitioningMarshaler of watermill-kafka have
// this signature. There, the messages whose key is "" all go to one partition.
type KeyFunc func(topic string, msg *message.Message) (string, error)

// KeyFromMetadata returns a KeyFunc that reads a message's key from its metadata. A
// message without this metadata has no key.
func KeyFromMetadata(key string) KeyFunc {
	return func(_ string, msg *message.Message) (string, error) { return msg.Metadata.Get(key), nil }
}

// PartitionOf returns the partition, from 0 on, that messages with this key go to in a
// topic with n partitions.
//
// It is the one that the default partitioner of Sarama chooses, and with it
// watermill-kafka: the 32-bit FNV-1a hash of the key's bytes, taken as a signed number,
// modulo n, without its sign. So a key keeps the number of its partition when its topic
// moves from Kafka, if n stays the same. (Kafka's own clients for Java have another hash.)
// It will not change.
func PartitionOf(key string, n int) int {
	const offset, prime = 2166136261, 16777619
	if n <= 1 {
		return 0
	}
	hash := uint32(offset)
	for i := range len(key) {
		hash = (hash ^ uint32(key[i])) * prime
	}
	partition := int(int32(hash)) % n //nolint:gosec // the overflow is part of the definition
	if partition < 0 {
		return -partition
	}
	return partition
}

package xstream

import "fmt"

// CountError is returned when a topic has another number of partitions.
type CountError struct {
	Recorded int
}

func (e *CountError) Error() string { return fmt.Sprintf("the topic has %d partitions", e.Recorded) }

// PartitionStream is the stream of partition i of n, from 0 on.
func PartitionStream(topic string, i, n int) string {
	if n == 1 {
		return topic
	}
	return fmt.Sprintf("%s:%d", topic, i)
}

// PartitionCount is the hash that has the number of a topic's partitions in its field n.
func PartitionCount(prefix string) string { return prefix + ":partitions" }

package xstream

import "fmt"

// CountError is returned when a topic has another number of partitions.
type CountError struct {
	Recorded int
}

func (e *CountError) Error() string { return fmt.Sprintf("the topic has %d partitions", e.Recorded) }

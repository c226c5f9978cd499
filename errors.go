package redisstream

import (
	"errors"
	"fmt"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// Errors of this package. Match them with errors.Is.
var (
	// ErrPublisherClosed is returned by Publish after Close.
	ErrPublisherClosed = errors.New("publisher is closed")

	// ErrSubscriberClosed is returned by Subscribe after Close, and is the cause
	// of the end of messages' contexts that are given up at shutdown.
	ErrSubscriberClosed = errors.New("subscriber is closed")

	// ErrLeaseLost is the cause of the end of a message's context when Redis says
	// that the message is no longer this consumer's: it was paused or cut off for
	// longer than MinIdle, and another one has it now. What the handler still does
	// may be done twice.
	ErrLeaseLost = errors.New("another consumer has the message")

	// ErrPartitionLost is the cause of the end of a message's context when its partition
	// goes to another member of the group, or may have: the process was paused or cut off
	// for longer than LeaseTTL, or its handler took longer than CloseTimeout when the
	// members shared anew. What the handler still does may be done twice; its ack has no
	// effect.
	ErrPartitionLost = errors.New("another member of the group has the partition")

	// ErrLeaseExpired is the cause of the end of a message's context when its
	// handler has had it for SubscriberConfig.MaxLease. The group gets the message
	// back a second later.
	ErrLeaseExpired = errors.New("handler has had the message for too long")

	// ErrNonePublished is what a PublishError is when no message of the call was
	// published: to publish all of them again makes no duplicate.
	ErrNonePublished = errors.New("no message was published")

	// ErrOutcomeUnknown is what a PublishError is when the answer for a message
	// was lost. It may be in the stream or not.
	ErrOutcomeUnknown = errors.New("unknown whether a message was published")

	// ErrNotDurable is what a PublishError is when a message was published, and too few have
	// it for PublisherConfig.Durability, as far as Redis said in time. See NotDurableError.
	ErrNotDurable = errors.New("stored, but not yet as durable as it should be")

	// ErrNotDrained is returned by SwitchPartitions while a group has something left
	// in a partition.
	ErrNotDrained = errors.New("not everything is handled yet")
)

var (
	errSilent   = errors.New("no answer from the server, gave up what was waited for")
	errDrained  = errors.New("subscription has ended")
	errNoAnswer = fmt.Errorf("no success within %v", startTimeout)
)

// ConfigError says what is wrong with one field of a configuration, or with an
// argument. Constructors join one for each bad field.
type ConfigError struct {
	Field  string // such as "SubscriberConfig.MinIdle"
	Value  any    // what was given
	Reason string // what is allowed
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s = %v: %s", e.Field, quoted(e.Value), e.Reason)
}

// PartitionsError says that a topic does not have as many partitions as it is used
// with. To go on would put messages with one key into different partitions.
type PartitionsError struct {
	Topic      string
	Configured int
	Recorded   int // in Redis; 0 = none, which only SwitchPartitions returns
}

func (e *PartitionsError) Error() string {
	if e.Recorded == 0 {
		return fmt.Sprintf("topic %q has no number of partitions recorded, and %d are expected", e.Topic, e.Configured)
	}
	return fmt.Sprintf("topic %q has %d partitions, and %d are configured: use %d, or see SwitchPartitions on changing it",
		e.Topic, e.Recorded, e.Configured, e.Recorded)
}

// RightError says which right the user of the client lacks. It is behind the errors of
// Publish, Subscribe, DeadLetters and all others that ask Redis, and in the log of a
// subscription; match it with errors.As. Its Right is the ACL rule that would allow what was
// denied: "+xadd", or "(+xadd ~orders)" when the command is allowed, but not for this key. It
// wraps the server's error, a *rueidis.RedisError. docs/rights.md lists the rights.
type RightError = xstream.RightError

func quoted(v any) any {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return v
}

package redisstream

import (
	"math"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
)

// PublisherConfig configures a Publisher. Only Client is required.
type PublisherConfig struct {
	// Client reaches Redis. It stays the caller's, who closes it after the
	// Publisher, and may be shared with other Publishers and Subscribers. Leave
	// its ConnLifetime at 0: rueidis repeats what was under way when a connection
	// ends by age, which would publish twice.
	Client rueidis.Client

	// Marshaler turns messages into entries. Default: DefaultMarshaler.
	Marshaler Marshaler

	// MaxLen returns how many entries the stream of a topic should keep, 0 for
	// all of them. Older ones are trimmed as new ones are published, in steps of
	// about a hundred, and whether they were consumed or not. The stream of each
	// partition of a topic keeps so many. Default: nil, which never trims.
	MaxLen func(topic string) int64

	// EntryID returns the ID for a message's entry: "<milliseconds>-<sequence>",
	// "<milliseconds>-*", or "" to let the server choose. IDs of a stream only
	// grow; a message whose ID is too small is not published, and Publish says so.
	// Each partition of a topic has IDs of its own. Default: nil, which lets the
	// server choose.
	EntryID func(topic string, msg *message.Message) string

	// Partitions returns how many partitions a topic has, from 1 to 1024, or 0 when it
	// is not partitioned. It returns always the same for a topic. Messages with the
	// same PartitionKey go to one partition. The partitions of "orders" are the
	// streams "orders:0", "orders:1" and so on, which must not be topics of their
	// own; with 1 it is the ordinary stream, "orders".
	//
	// The first to use a topic records the number in Redis. Publishing with another
	// number fails with a *PartitionsError. A number that was changed is noticed
	// after at most about five seconds; SwitchPartitions says how to change it, or
	// how to divide a topic that had no partitions. Default: nil, no topic is
	// partitioned.
	Partitions func(topic string) int

	// PartitionKey returns what decides about the partition of a message. It needs
	// Partitions, and is not called for other topics. Default: nil, no message has a
	// key, so that they are spread evenly over the partitions.
	PartitionKey KeyFunc

	// Durability says who has to have a message before Publish returns nil. Default: the
	// zero value, nobody but the master, which loses in a failover what its replicas
	// do not have yet.
	Durability Durability
}

// SubscriberConfig configures a Subscriber. Only Client is required.
type SubscriberConfig struct {
	// Client reaches Redis. It stays the caller's, who closes it after the
	// Subscriber. Each subscription takes one connection of it for blocking reads.
	Client rueidis.Client

	// Unmarshaler turns entries into messages. Default: DefaultMarshaler.
	Unmarshaler Unmarshaler

	// ConsumerGroup is the group whose members share a topic's messages. Default:
	// "", no group: each subscription sees every entry from Start on.
	ConsumerGroup string

	// Consumer is the name of this member in its group. Default: "", a name made
	// of host, process and chance for each subscription, which is what nearly
	// everybody wants. A configured name is used by one subscription at a time,
	// which finds there what the one before it left; a second one that lives at
	// the same time gets a name of its own and an error in the log.
	Consumer string

	// MaxInFlight is how many messages of a subscription may be with the caller at
	// once, neither acked nor nacked. Default: 1, the strict order: the next
	// message comes after the ack of the one before. At most 65536.
	MaxInFlight int

	// PartitionKey returns the key of a message; see KeyFromMetadata. With MaxInFlight
	// above 1 it keeps the order of messages that have a key in common: the next one is
	// handed out when the one before is settled for good, its retries included. A slow key
	// holds up its own messages only, until 4,096 of them wait, or 8 MiB. Without
	// Partitions, the order is that of one subscription: other members of its group may
	// have messages with the same key at the same time. It does not go with ReturnToGroup
	// or AtMostOnce then. With MaxInFlight 1 everything is in order anyway.
	//
	// It is called from one goroutine of each subscription and should return quickly. A message
	// for which it returns an error is treated like an entry that is no message. See
	// PartitionKeyFromContext. Default: nil, no keys.
	PartitionKey KeyFunc

	// Partitions returns how many partitions a topic has, at most 1024, and 0 for a topic
	// that has none. Partition i of topic "orders" is the stream "orders:i", and with one
	// partition the stream "orders". In a group, each partition belongs to one member at a
	// time, so that its messages are handled in order; the members share the partitions
	// evenly, and take over those of a member that ends or dies. MaxInFlight is for each
	// partition, and above 1 it needs a PartitionKey. The number has to be the same for all
	// Publishers and Subscribers of the topic; Redis keeps it, and Subscribe returns a
	// *PartitionsError if it is another one. It goes with RedeliverInPlace only, and not
	// with AtMostOnce or ShouldClaim. Each partition that a member has takes a connection
	// for blocking reads, and so does the membership itself. Default: nil, no partitions.
	Partitions func(topic string) int

	// MaxInFlightTotal is how many messages of all partitions together may be with the
	// caller of a subscription at once. Default: 0, no limit but MaxInFlight for each
	// partition.
	MaxInFlightTotal int

	// LeaseTTL is how long a partition stays with a member that gives no sign of life, as
	// after a crash. A member that is cut off from Redis, or was paused, for about as long
	// stops by itself: the contexts of its messages end with ErrPartitionLost, and its acks
	// have no effect. All members of a group need the same. Default: 5 s; at least 1 s, and
	// at most 10 minutes.
	LeaseTTL time.Duration

	// Start says where to begin. Default: the oldest entry for a new group, the
	// newest for a subscription without a group. A group that exists goes on where
	// it is.
	Start StartPosition

	// AtMostOnce gives up redelivery: the server forgets a message as it hands it
	// out, and a nack drops it. What is lost on the way, or in a crash, is lost.
	// It needs a ConsumerGroup. Default: false, at least once.
	AtMostOnce bool

	// MinIdle is how long a consumer may be silent before others take over what it
	// held. It is not a limit for handlers: the messages of a live consumer are
	// renewed for as long as they take. Shorter moves the work of a dead consumer
	// sooner, and makes long pauses of a process more likely to be taken for its
	// death. All members of a group need the same. Default: 30 s; at least 1 s.
	MinIdle time.Duration

	// CloseTimeout is how long messages in flight may take to be acked after Close
	// or the end of the context given to Subscribe. Then their contexts end, and
	// what is still not settled a second later goes to another consumer. Default:
	// 10 s; at most 10 minutes.
	CloseTimeout time.Duration

	// NackBackoff returns the pause before a nacked message is handed out again.
	// attempt is how often it has been, as DeliveryCountFromContext says: 1 after
	// the first nack, and so on. Default: DefaultNackBackoff.
	NackBackoff func(attempt int) time.Duration

	// NackPolicy says where a nacked message waits. Default: RedeliverInPlace,
	// which keeps the order and holds up what comes behind it.
	NackPolicy NackPolicy

	// MaxDeliveries is how often a message is handed out at most. When the last
	// time has failed too, it goes to the dead letters; without a group, it is
	// logged and skipped. What nobody has settled has failed as well, such as when
	// the consumer died; with a limit of 1, such a message comes once more, because
	// Redis can't tell whether it had been handed out. All members of a group need
	// the same limit. Default: 0, no limit.
	MaxDeliveries int

	// DeadLetters returns the stream that takes what the group gives up on. Its
	// name must have the topic as its hash tag, or the topic's own one, so that both
	// are on one node of a cluster. With more than one partition, topic is the stream of
	// a partition. Default: "{topic}:dead:group".
	DeadLetters func(topic string) string

	// MaxDeadLetters is about how many dead letters of a topic to keep; the oldest
	// are dropped. Default: 0, all of them.
	MaxDeadLetters int64

	// MaxLease is how long a message may be with its handler. Then its context
	// ends with ErrLeaseExpired, and a second later the message goes back to the
	// group, whether the handler has come back or not: any member may get it that
	// has a free slot. The handler keeps its own until it returns. It is meant for
	// handlers that may hang, and is a multiple of what they need. Default: 0, no
	// limit. With Partitions, the message stays where it is, and its partition or its
	// key waits.
	MaxLease time.Duration

	// ShouldClaim may refuse to take over an entry of a silent consumer. Entries
	// that were released by their consumer are not asked about. It is called from
	// one goroutine of a subscription and should return quickly. Default: nil,
	// which takes all.
	ShouldClaim func(topic string, entry PendingEntry) bool

	// ConsumerTimeout is how long a consumer of the group has to be silent, with
	// nothing pending, before it is removed. Default: 10 minutes; at least MinIdle.
	ConsumerTimeout time.Duration

	// BlockingPoolSize is the option of the same name that Client was made with.
	// When all but eight of those connections are taken by subscriptions, Subscribe
	// returns an error instead of waiting for one. Default: rueidis' own, 1024.
	BlockingPoolSize int
}

// PendingEntry is an entry that was handed to a consumer and not acked.
type PendingEntry struct {
	ID         string
	Consumer   string
	Idle       time.Duration // since it was read, claimed or renewed
	Deliveries int64         // how often it was handed out
}

const (
	defaultMinIdle          = 30 * time.Second
	defaultCloseTimeout     = 10 * time.Second
	defaultLeaseTTL         = 5 * time.Second
	minLeaseTTL             = time.Second
	maxLeaseTTL             = 10 * time.Minute
	defaultConsumerTimeout  = 10 * time.Minute
	maxCloseTimeout         = 10 * time.Minute
	maxDuration             = time.Duration(math.MaxInt64 / 4) // multiples of it are still times
	minMinIdle              = time.Second
	minMaxLease             = time.Second
	maxMaxInFlight          = 1 << 16
	sparedBlockingPool      = 8 // left to the user's own blocking commands
	defaultBlockingPoolSize = rueidis.DefaultPoolSize
)

func (c PublisherConfig) withDefaults() PublisherConfig {
	if c.Marshaler == nil {
		c.Marshaler = DefaultMarshaler{}
	}
	c.Durability = c.Durability.withDefaults()
	return c
}

func (c SubscriberConfig) withDefaults() SubscriberConfig {
	if c.Unmarshaler == nil {
		c.Unmarshaler = DefaultMarshaler{}
	}
	if c.NackBackoff == nil {
		c.NackBackoff = DefaultNackBackoff
	}
	orDefault(&c.MaxInFlight, 1)
	orDefault(&c.MinIdle, defaultMinIdle)
	orDefault(&c.CloseTimeout, defaultCloseTimeout)
	orDefault(&c.LeaseTTL, defaultLeaseTTL)
	orDefault(&c.ConsumerTimeout, max(defaultConsumerTimeout, c.MinIdle))
	orDefault(&c.BlockingPoolSize, defaultBlockingPoolSize)
	if c.ConsumerGroup == "" {
		c.Start = c.Start.or(startNewest)
	} else {
		c.Start = c.Start.or(startOldest)
	}
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Package universal_test runs Watermill's universal suite on a real server. It
// is apart from the other tests because the suite leaves goroutines behind: it
// never closes some of the subscribers it makes.
package universal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// shortClose is for profiles in which every subscriber gets a copy of every
// message: the suite then closes 50 subscribers one after the other, each with a
// message that nobody will settle.
const shortClose = 200 * time.Millisecond

// hashTag makes topics belong to one slot.
const hashTag = "{universal}"

// The roles of subscribers, as docs/rights.md calls them.
const groupRole, fanOutRole = "group-consumer", "fanout-consumer"

// patientClose is for tests in which partitions move while nobody takes messages: the suite opens
// 50 subscribers one after the other first, which on a busy machine takes longer than the default
// leaves a handler of a partition that moves, and then its message comes twice.
const patientClose = time.Minute

// profile is one way to set up the adapter for the suite.
type profile struct {
	features   tests.Features
	group      func() string
	configure  func(*redisstream.SubscriberConfig)
	partitions func(topic string) int // nil = none
}

func sharedGroup() string { return "universal" }

func freshGroup() string { return watermill.NewShortUUID() }

func noGroup() string { return "" }

// profiles are the combinations of guarantees that the adapter gives.
func profiles() map[string]profile {
	ordered := tests.Features{
		ConsumerGroups:                      true,
		GuaranteedOrder:                     true,
		GuaranteedOrderWithSingleSubscriber: true,
		Persistent:                          true,
	}
	once := ordered
	once.ExactlyOnceDelivery = true
	fanOut := tests.Features{GuaranteedOrder: true, Persistent: true, NewSubscriberReceivesOldMessages: true}
	copies := fanOut
	copies.ConsumerGroups = true
	concurrent := tests.Features{ConsumerGroups: true, Persistent: true}
	tagged := ordered
	tagged.GenerateTopicFunc = func(tctx tests.TestContext) string { return hashTag + "topic-" + string(tctx.TestID) }
	shared := ordered
	shared.GuaranteedOrderWithSingleSubscriber = false
	sharedOnce := shared
	sharedOnce.ExactlyOnceDelivery = true
	exclusive, divided := func(string) int { return 1 }, func(string) int { return 16 }
	return map[string]profile{
		"G": {features: shared, group: sharedGroup, partitions: exclusive},
		"H": {features: sharedOnce, group: sharedGroup, partitions: exclusive},
		"I": {features: shared, group: sharedGroup, partitions: divided},
		"J": {features: sharedOnce, group: sharedGroup, partitions: divided},
		"A": {features: ordered, group: sharedGroup},
		"B": {features: once, group: sharedGroup},
		"C": {features: fanOut, group: noGroup, configure: func(c *redisstream.SubscriberConfig) {
			c.Start, c.CloseTimeout = redisstream.StartOldest(), shortClose
		}},
		"D": {features: copies, group: freshGroup, configure: func(c *redisstream.SubscriberConfig) {
			c.CloseTimeout = shortClose
		}},
		"E": {features: concurrent, group: sharedGroup, configure: func(c *redisstream.SubscriberConfig) {
			c.MaxInFlight = 16
		}},
		"F": {features: tagged, group: sharedGroup},
	}
}

// pubSub makes a publisher and a subscriber with a client of their own, as if
// each were a process of its own.
func (p profile) pubSub(t *testing.T, on site, group string) (message.Publisher, message.Subscriber) {
	t.Helper()
	logger := watermill.LoggerAdapter(watermill.NopLogger{})
	if testing.Verbose() {
		logger = watermill.NewStdLogger(false, false)
	}
	role := groupRole
	if group == "" {
		role = fanOutRole
	}
	writer, reader := on.clients(t, role)
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: writer, Partitions: p.partitions, PartitionKey: p.key()}, logger)
	require.NoError(t, err)
	config := redisstream.SubscriberConfig{Client: reader, ConsumerGroup: group, NackBackoff: shortBackoff, Partitions: p.partitions}
	if p.configure != nil {
		p.configure(&config)
	}
	if p.partitions != nil && strings.Contains(t.Name(), "/TestConcurrentSubscribe") {
		config.CloseTimeout = patientClose
	}
	subscriber, err := redisstream.NewSubscriber(config, logger)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, subscriber.Close()) })
	return publisher, subscriber
}

// key is the payload, whose order is what the suite looks at.
func (p profile) key() redisstream.KeyFunc {
	if p.partitions == nil {
		return nil
	}
	return func(_ string, msg *message.Message) (string, error) { return string(msg.Payload), nil }
}

// shortBackoff keeps one test that nacks 300 times in a row from taking minutes.
func shortBackoff(attempt int) time.Duration {
	return min(redisstream.DefaultNackBackoff(attempt), 20*time.Millisecond)
}

// constructors are what the suite makes publishers and subscribers with.
func (p profile) constructors(on site) (tests.PubSubConstructor, tests.ConsumerGroupPubSubConstructor) {
	ofGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		t.Helper()
		return p.pubSub(t, on, group)
	}
	return func(t *testing.T) (message.Publisher, message.Subscriber) {
		t.Helper()
		return p.pubSub(t, on, p.group())
	}, ofGroup
}

// smallBuffers makes room for hundreds of clients in one test process.
func smallBuffers(o *rueidis.ClientOption) {
	o.RingScaleEachConn = 8
	o.ReadBufferEachConn = 64 << 10
	o.WriteBufferEachConn = 16 << 10
}

package redisstream

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// What is wrong with a configuration, or with a name.

func (c PublisherConfig) validate() error {
	var errs []error
	if c.Client == nil {
		errs = append(errs, &ConfigError{"PublisherConfig.Client", nil, "a rueidis.Client is required"})
	}
	if c.PartitionKey != nil && c.Partitions == nil {
		errs = append(errs, &ConfigError{"PublisherConfig.PartitionKey", "func", "needs Partitions"})
	}
	errs = append(errs, c.Durability.validate()...)
	return errors.Join(errs...)
}

// validate expects the defaults to be filled in. It reports all bad fields.
func (c SubscriberConfig) validate() error {
	var errs []error
	bad := func(field string, value any, reason string) {
		errs = append(errs, &ConfigError{"SubscriberConfig." + field, value, reason})
	}
	if c.Client == nil {
		bad("Client", nil, "a rueidis.Client is required")
	}
	if reason := badName(c.ConsumerGroup); reason != "" {
		bad("ConsumerGroup", c.ConsumerGroup, reason)
	}
	if reason := badConsumer(c.Consumer); reason != "" {
		bad("Consumer", c.Consumer, reason)
	}
	if c.MaxInFlight < 1 || c.MaxInFlight > maxMaxInFlight {
		bad("MaxInFlight", c.MaxInFlight, fmt.Sprintf("must be from 1 to %d", maxMaxInFlight))
	}
	if c.Start.kind == startInvalid {
		bad("Start", c.Start.bad, `must be an entry ID such as "1526919030474-55"`)
	}
	inRange(bad, "MinIdle", c.MinIdle, minMinIdle, maxDuration)
	inRange(bad, "CloseTimeout", c.CloseTimeout, time.Millisecond, maxCloseTimeout)
	inRange(bad, "ConsumerTimeout", c.ConsumerTimeout, max(c.MinIdle, minMinIdle), maxDuration)
	if c.BlockingPoolSize <= sparedBlockingPool {
		bad("BlockingPoolSize", c.BlockingPoolSize, fmt.Sprintf("must be greater than %d, and what Client was made with", sparedBlockingPool))
	}
	inRange(bad, "LeaseTTL", c.LeaseTTL, minLeaseTTL, maxLeaseTTL)
	c.validateRetries(bad)
	c.validatePartitions(bad)
	if c.ConsumerGroup == "" {
		c.needsGroup(bad)
	}
	return errors.Join(errs...)
}

func (c SubscriberConfig) validatePartitions(bad func(field string, value any, reason string)) {
	if c.MaxInFlightTotal < 0 {
		bad("MaxInFlightTotal", c.MaxInFlightTotal, "must be at least 1, or 0 for no limit")
	}
	if c.Partitions == nil {
		if c.MaxInFlightTotal > 0 {
			bad("MaxInFlightTotal", c.MaxInFlightTotal, "is for topics with Partitions; MaxInFlight is the limit of others")
		}
		return
	}
	if c.MaxInFlight > 1 && c.PartitionKey == nil {
		bad("MaxInFlight", c.MaxInFlight, "needs a PartitionKey with Partitions, or the order in a partition is lost")
	}
	const reason = "does not go with Partitions, where messages wait in their places"
	if c.NackPolicy == ReturnToGroup {
		bad("NackPolicy", c.NackPolicy, reason)
	}
	if c.AtMostOnce {
		bad("AtMostOnce", c.AtMostOnce, reason)
	}
	if c.ShouldClaim != nil {
		bad("ShouldClaim", "func", "does not go with Partitions, where a partition's owner takes all that is pending")
	}
}

func (c SubscriberConfig) needsGroup(bad func(field string, value any, reason string)) {
	const reason = "needs a ConsumerGroup"
	if c.Consumer != "" {
		bad("Consumer", c.Consumer, reason)
	}
	if c.AtMostOnce {
		bad("AtMostOnce", c.AtMostOnce, reason)
	}
	if c.ShouldClaim != nil {
		bad("ShouldClaim", "func", reason)
	}
	if c.NackPolicy == ReturnToGroup {
		bad("NackPolicy", c.NackPolicy, reason)
	}
	if c.DeadLetters != nil {
		bad("DeadLetters", "func", reason)
	}
	if c.MaxDeadLetters > 0 {
		bad("MaxDeadLetters", c.MaxDeadLetters, reason)
	}
	if c.MaxLease > 0 {
		bad("MaxLease", c.MaxLease, reason)
	}
}

func (c SubscriberConfig) validateRetries(bad func(field string, value any, reason string)) {
	if c.NackPolicy > ReturnToGroup {
		bad("NackPolicy", c.NackPolicy, "must be RedeliverInPlace or ReturnToGroup")
	}
	if c.PartitionKey != nil && c.MaxInFlight > 1 {
		c.validateKeyOrder(bad)
	}
	if c.MaxDeliveries < 0 {
		bad("MaxDeliveries", c.MaxDeliveries, "must be at least 1, or 0 for no limit")
	}
	if c.MaxDeadLetters < 0 {
		bad("MaxDeadLetters", c.MaxDeadLetters, "must be at least 1, or 0 for all")
	}
	if c.MaxLease != 0 {
		inRange(bad, "MaxLease", c.MaxLease, minMaxLease, maxDuration)
	}
	if !c.AtMostOnce {
		return
	}
	const reason = "has no meaning with AtMostOnce, where a nack drops the message"
	if c.NackPolicy != RedeliverInPlace {
		bad("NackPolicy", c.NackPolicy, reason)
	}
	if c.MaxDeliveries > 0 {
		bad("MaxDeliveries", c.MaxDeliveries, reason)
	}
	if c.MaxLease > 0 {
		bad("MaxLease", c.MaxLease, reason)
	}
	const noLetters = "has no meaning with AtMostOnce, where nothing is given up to the dead letters"
	if c.DeadLetters != nil {
		bad("DeadLetters", "func", noLetters)
	}
	if c.MaxDeadLetters > 0 {
		bad("MaxDeadLetters", c.MaxDeadLetters, noLetters)
	}
}

func (c SubscriberConfig) validateKeyOrder(bad func(field string, value any, reason string)) {
	if c.NackPolicy == ReturnToGroup {
		bad("PartitionKey", "func", "does not go with ReturnToGroup and MaxInFlight above 1: others would overtake a message that failed")
	}
	if c.AtMostOnce {
		bad("PartitionKey", "func", "does not go with AtMostOnce and MaxInFlight above 1: what waits for its key would be lost in a crash")
	}
}

func inRange(bad func(field string, value any, reason string), field string, d, least, most time.Duration) {
	switch {
	case d < least:
		bad(field, d, fmt.Sprintf("must be at least %v", least))
	case d > most:
		bad(field, d, fmt.Sprintf("must be at most %v", most))
	}
}

// badName says what is wrong with the name of a group, a consumer or a topic.
// Servers without a certain fix take a name that reads STREAMS for the keyword
// and look for keys in the wrong place.
func badName(name string) string {
	if strings.EqualFold(name, "STREAMS") {
		return "must not be a keyword of Redis' commands"
	}
	return ""
}

func badConsumer(name string) string {
	if xstream.IsReserved(name) {
		return "is reserved for what members of a group give back"
	}
	return badName(name)
}

func validateTopic(topic string) error {
	if topic == "" {
		return &ConfigError{"topic", topic, "must not be empty"}
	}
	if reason := badName(topic); reason != "" {
		return &ConfigError{"topic", topic, reason}
	}
	return nil
}

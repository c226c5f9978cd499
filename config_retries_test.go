package redisstream

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSubscriberConfigRetriesNothingByDefaultButInPlace(t *testing.T) {
	t.Parallel()
	c := config(func(*SubscriberConfig) {})
	require.NoError(t, c.validate())
	require.Equal(t, RedeliverInPlace, c.NackPolicy)
	require.Zero(t, c.MaxDeliveries, "no limit")
	require.Zero(t, c.MaxDeadLetters, "all are kept")
	require.Zero(t, c.MaxLease, "handlers take as long as they take")
	require.Nil(t, c.DeadLetters)
}

func TestSubscriberConfigRefusesRetriesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*SubscriberConfig)
		field  string
		reason string
	}{
		"unknown NackPolicy":      {func(c *SubscriberConfig) { c.NackPolicy = ReturnToGroup + 1 }, "NackPolicy", "RedeliverInPlace or ReturnToGroup"},
		"negative MaxDeliveries":  {func(c *SubscriberConfig) { c.MaxDeliveries = -1 }, "MaxDeliveries", "0 for no limit"},
		"negative MaxDeadLetters": {func(c *SubscriberConfig) { c.MaxDeadLetters = -1 }, "MaxDeadLetters", "0 for all"},
		"short MaxLease":          {func(c *SubscriberConfig) { c.MaxLease = time.Second - 1 }, "MaxLease", "at least 1s"},
		"negative MaxLease":       {func(c *SubscriberConfig) { c.MaxLease = -1 }, "MaxLease", "at least 1s"},
		"endless MaxLease":        {func(c *SubscriberConfig) { c.MaxLease = math.MaxInt64 }, "MaxLease", "at most"},
		"ReturnToGroup without a group": {func(c *SubscriberConfig) {
			c.ConsumerGroup, c.NackPolicy = "", ReturnToGroup
		}, "NackPolicy", "needs a ConsumerGroup"},
		"DeadLetters without a group": {func(c *SubscriberConfig) {
			c.ConsumerGroup, c.DeadLetters = "", func(topic string) string { return topic }
		}, "DeadLetters", "needs a ConsumerGroup"},
		"MaxDeadLetters without a group": {func(c *SubscriberConfig) {
			c.ConsumerGroup, c.MaxDeadLetters = "", 1
		}, "MaxDeadLetters", "needs a ConsumerGroup"},
		"MaxLease without a group": {func(c *SubscriberConfig) {
			c.ConsumerGroup, c.MaxLease = "", time.Minute
		}, "MaxLease", "needs a ConsumerGroup"},
		"ReturnToGroup at most once": {func(c *SubscriberConfig) {
			c.AtMostOnce, c.NackPolicy = true, ReturnToGroup
		}, "NackPolicy", "AtMostOnce"},
		"MaxDeliveries at most once": {func(c *SubscriberConfig) {
			c.AtMostOnce, c.MaxDeliveries = true, 1
		}, "MaxDeliveries", "AtMostOnce"},
		"DeadLetters at most once": {func(c *SubscriberConfig) {
			c.AtMostOnce, c.DeadLetters = true, func(topic string) string { return topic }
		}, "DeadLetters", "AtMostOnce"},
		"MaxDeadLetters at most once": {func(c *SubscriberConfig) {
			c.AtMostOnce, c.MaxDeadLetters = true, 1
		}, "MaxDeadLetters", "AtMostOnce"},
		"MaxLease at most once": {func(c *SubscriberConfig) {
			c.AtMostOnce, c.MaxLease = true, time.Minute
		}, "MaxLease", "AtMostOnce"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := config(c.change).validate()
			requireBad(t, err, "SubscriberConfig."+c.field)
			require.ErrorContains(t, err, c.reason)
		})
	}
}

func TestSubscriberConfigAllowsRetries(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*SubscriberConfig){
		"all of it": func(c *SubscriberConfig) {
			c.NackPolicy, c.MaxDeliveries, c.MaxDeadLetters, c.MaxLease = ReturnToGroup, 1, 1, time.Second
			c.DeadLetters = func(string) string { return "" } // looked at with a topic
		},
		"the longest lease": func(c *SubscriberConfig) { c.MaxLease = maxDuration },
		"many deliveries":   func(c *SubscriberConfig) { c.MaxDeliveries = math.MaxInt },
		"MaxDeliveries without a group": func(c *SubscriberConfig) {
			c.ConsumerGroup, c.MaxDeliveries = "", 3
		},
	} {
		require.NoError(t, config(change).validate(), name)
	}
}

func TestNackPolicyHasAName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "RedeliverInPlace", RedeliverInPlace.String())
	require.Equal(t, "ReturnToGroup", ReturnToGroup.String())
	require.Equal(t, "unknown NackPolicy", NackPolicy(2).String())
}

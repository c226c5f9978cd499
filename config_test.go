package redisstream

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// noClient is a client that nobody asks anything.
type noClient struct{ rueidis.Client }

// config is a valid configuration of a member of a group, changed and with its
// defaults filled in.
func config(change func(*SubscriberConfig)) SubscriberConfig {
	c := SubscriberConfig{Client: noClient{}, ConsumerGroup: "g"}
	change(&c)
	return c.withDefaults()
}

// requireBad checks that an error has a ConfigError for each of the fields, and
// for no other.
func requireBad(t *testing.T, err error, fields ...string) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%v", err)
	var got []string
	for _, one := range joined.Unwrap() {
		var bad *ConfigError
		require.ErrorAs(t, one, &bad)
		require.NotEmpty(t, bad.Reason)
		require.ErrorContains(t, err, bad.Field+" = ")
		require.ErrorContains(t, err, bad.Reason)
		got = append(got, bad.Field)
	}
	require.Equal(t, fields, got)
}

func TestSubscriberConfigDefaults(t *testing.T) {
	t.Parallel()
	zero := SubscriberConfig{Client: noClient{}}
	c := zero.withDefaults()
	require.NoError(t, c.validate())
	require.Equal(t, DefaultMarshaler{}, c.Unmarshaler)
	require.NotNil(t, c.NackBackoff)
	require.Zero(t, c.NackBackoff(1))
	require.Positive(t, c.NackBackoff(2))
	require.Equal(t, 1, c.MaxInFlight)
	require.Equal(t, 30*time.Second, c.MinIdle)
	require.Equal(t, 10*time.Second, c.CloseTimeout)
	require.Equal(t, 10*time.Minute, c.ConsumerTimeout)
	require.Equal(t, 1024, c.BlockingPoolSize)
	require.Equal(t, StartNewest(), c.Start)
	require.Nil(t, c.ShouldClaim)
	require.False(t, c.AtMostOnce)
	require.Empty(t, c.Consumer)
	require.Equal(t, StartOldest(), SubscriberConfig{ConsumerGroup: "g"}.withDefaults().Start)
	require.Equal(t, time.Hour, SubscriberConfig{MinIdle: time.Hour}.withDefaults().ConsumerTimeout, "no shorter than MinIdle")

	require.Nil(t, zero.Unmarshaler, "the caller's own is not changed")
	require.Nil(t, zero.NackBackoff)
	require.Zero(t, zero.MaxInFlight)
	require.Equal(t, StartPosition{}, zero.Start)
}

func TestSubscriberConfigKeepsWhatIsSet(t *testing.T) {
	t.Parallel()
	c := SubscriberConfig{
		Client: noClient{}, Unmarshaler: otherMarshaler{}, ConsumerGroup: "g", Consumer: "c", MaxInFlight: 7, Start: StartNewest(), AtMostOnce: true,
		MinIdle: 2 * time.Second, CloseTimeout: 3 * time.Second, NackBackoff: func(int) time.Duration { return 42 },
		ShouldClaim: func(string, PendingEntry) bool { return false }, ConsumerTimeout: 4 * time.Second, BlockingPoolSize: 9,
	}.withDefaults()
	require.NoError(t, c.validate())
	require.Equal(t, otherMarshaler{}, c.Unmarshaler)
	require.Equal(t, time.Duration(42), c.NackBackoff(2))
	require.Equal(t, StartNewest(), c.Start)
	require.Equal(t, []any{7, 2 * time.Second, 3 * time.Second, 4 * time.Second, 9},
		[]any{c.MaxInFlight, c.MinIdle, c.CloseTimeout, c.ConsumerTimeout, c.BlockingPoolSize})
}

type otherMarshaler struct{ DefaultMarshaler }

func withKeys(c *SubscriberConfig) { c.MaxInFlight, c.PartitionKey = 2, KeyFromMetadata("key") }

func TestSubscriberConfigTakesKeysWhereAllIsInOrder(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*SubscriberConfig){
		func(c *SubscriberConfig) { c.NackPolicy = ReturnToGroup },
		func(c *SubscriberConfig) { c.AtMostOnce = true },
		func(c *SubscriberConfig) { c.MaxInFlight = 2 },
	} {
		require.NoError(t, config(func(c *SubscriberConfig) { withKeys(c); c.MaxInFlight = 1; change(c) }).validate())
	}
}

func TestSubscriberConfigRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*SubscriberConfig)
		field  string
	}{
		"no client":                  {func(c *SubscriberConfig) { c.Client = nil }, "Client"},
		"keyword for a group":        {func(c *SubscriberConfig) { c.ConsumerGroup = "streams" }, "ConsumerGroup"},
		"reserved consumer":          {func(c *SubscriberConfig) { c.Consumer = xstream.Released }, "Consumer"},
		"reserved for delays":        {func(c *SubscriberConfig) { c.Consumer = xstream.Delayed }, "Consumer"},
		"keyword for a consumer":     {func(c *SubscriberConfig) { c.Consumer = "STREAMS" }, "Consumer"},
		"negative MaxInFlight":       {func(c *SubscriberConfig) { c.MaxInFlight = -1 }, "MaxInFlight"},
		"great MaxInFlight":          {func(c *SubscriberConfig) { c.MaxInFlight = 65537 }, "MaxInFlight"},
		"keys that return to group":  {func(c *SubscriberConfig) { withKeys(c); c.NackPolicy = ReturnToGroup }, "PartitionKey"},
		"keys at most once":          {func(c *SubscriberConfig) { withKeys(c); c.AtMostOnce = true }, "PartitionKey"},
		"no ID":                      {func(c *SubscriberConfig) { c.Start = StartAfterID("x") }, "Start"},
		"short MinIdle":              {func(c *SubscriberConfig) { c.MinIdle = time.Second - 1 }, "MinIdle"},
		"short CloseTimeout":         {func(c *SubscriberConfig) { c.CloseTimeout = time.Millisecond - 1 }, "CloseTimeout"},
		"negative CloseTimeout":      {func(c *SubscriberConfig) { c.CloseTimeout = -1 }, "CloseTimeout"},
		"long CloseTimeout":          {func(c *SubscriberConfig) { c.CloseTimeout = 10*time.Minute + 1 }, "CloseTimeout"},
		"endless CloseTimeout":       {func(c *SubscriberConfig) { c.CloseTimeout = math.MaxInt64 }, "CloseTimeout"},
		"endless ConsumerTimeout":    {func(c *SubscriberConfig) { c.ConsumerTimeout = math.MaxInt64 }, "ConsumerTimeout"},
		"ConsumerTimeout < MinIdle":  {func(c *SubscriberConfig) { c.ConsumerTimeout = 30*time.Second - 1 }, "ConsumerTimeout"},
		"pool for the user only":     {func(c *SubscriberConfig) { c.BlockingPoolSize = 8 }, "BlockingPoolSize"},
		"negative pool":              {func(c *SubscriberConfig) { c.BlockingPoolSize = -1 }, "BlockingPoolSize"},
		"consumer without a group":   {func(c *SubscriberConfig) { c.ConsumerGroup, c.Consumer = "", "c" }, "Consumer"},
		"AtMostOnce without a group": {func(c *SubscriberConfig) { c.ConsumerGroup, c.AtMostOnce = "", true }, "AtMostOnce"},
		"ShouldClaim without a group": {func(c *SubscriberConfig) {
			c.ConsumerGroup, c.ShouldClaim = "", func(string, PendingEntry) bool { return true }
		}, "ShouldClaim"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireBad(t, config(c.change).validate(), "SubscriberConfig."+c.field)
		})
	}
}

func TestSubscriberConfigAllows(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*SubscriberConfig){
		"most in flight":     func(c *SubscriberConfig) { c.MaxInFlight = 65536 },
		"shortest MinIdle":   func(c *SubscriberConfig) { c.MinIdle = time.Second },
		"shortest close":     func(c *SubscriberConfig) { c.CloseTimeout = time.Millisecond },
		"longest close":      func(c *SubscriberConfig) { c.CloseTimeout = 10 * time.Minute },
		"shortest consumer":  func(c *SubscriberConfig) { c.ConsumerTimeout = 30 * time.Second },
		"smallest pool":      func(c *SubscriberConfig) { c.BlockingPoolSize = 9 },
		"a name with a word": func(c *SubscriberConfig) { c.ConsumerGroup, c.Consumer = "my streams", "released" },
	} {
		require.NoError(t, config(change).validate(), name)
	}
}

func TestSubscriberConfigReportsAllBadFieldsAtOnce(t *testing.T) {
	t.Parallel()
	c := SubscriberConfig{
		Consumer: "streams", MaxInFlight: -1, Start: StartAfterID("x"), AtMostOnce: true, MinIdle: -1, CloseTimeout: -1,
		ConsumerTimeout: -2, ShouldClaim: func(string, PendingEntry) bool { return true }, BlockingPoolSize: 1,
	}
	_, err := NewSubscriber(c, nil)
	requireBad(t, err,
		"SubscriberConfig.Client", "SubscriberConfig.Consumer", "SubscriberConfig.MaxInFlight", "SubscriberConfig.Start", "SubscriberConfig.MinIdle",
		"SubscriberConfig.CloseTimeout", "SubscriberConfig.ConsumerTimeout", "SubscriberConfig.BlockingPoolSize",
		"SubscriberConfig.Consumer", "SubscriberConfig.AtMostOnce", "SubscriberConfig.ShouldClaim")
	require.ErrorContains(t, err, `SubscriberConfig.Consumer = "streams": `)
	require.ErrorContains(t, err, "SubscriberConfig.MaxInFlight = -1: must be from 1 to 65536")
}

// Whoever sets too long a time must not be told that it is too short.
func TestConfigErrorSaysWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for reason, change := range map[string]func(*SubscriberConfig){
		"at most":  func(c *SubscriberConfig) { c.MinIdle, c.ConsumerTimeout = math.MaxInt64/4+1, math.MaxInt64/4+1 },
		"at least": func(c *SubscriberConfig) { c.MinIdle = 1 },
	} {
		var bad *ConfigError
		require.ErrorAs(t, config(change).validate(), &bad)
		require.Equal(t, "SubscriberConfig.MinIdle", bad.Field)
		require.Contains(t, bad.Reason, reason)
	}
}

func TestPublisherConfig(t *testing.T) {
	t.Parallel()
	zero := PublisherConfig{Client: noClient{}}
	require.Equal(t, DefaultMarshaler{}, zero.withDefaults().Marshaler)
	require.Nil(t, zero.Marshaler, "the caller's own is not changed")
	require.NoError(t, zero.withDefaults().validate())
	require.Equal(t, otherMarshaler{}, PublisherConfig{Marshaler: otherMarshaler{}}.withDefaults().Marshaler)

	_, err := NewPublisher(PublisherConfig{}, nil)
	var bad *ConfigError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, "PublisherConfig.Client", bad.Field)
}

func TestValidateTopic(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"", "STREAMS", "streams", "Streams"} {
		var bad *ConfigError
		require.ErrorAs(t, validateTopic(topic), &bad, topic)
		require.Equal(t, "topic", bad.Field)
		require.Equal(t, topic, bad.Value)
	}
	for _, topic := range []string{"x", "my streams", "{x}", "}", " ", "~"} {
		require.NoError(t, validateTopic(topic), topic)
	}
}

// Redis repeats the name for each entry in its log and to its replicas.
func TestRandomNamesAreShortAndOfTheirOwn(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	require.NoError(t, err)
	seen := map[string]bool{}
	for range 1000 {
		name := randomName()
		require.False(t, seen[name])
		seen[name] = true
		require.LessOrEqual(t, len(name), 24)
		require.True(t, strings.HasPrefix(name, host[:min(len(host), 7)]+"-"))
		require.Regexp(t, regexp.MustCompile(`-[0-9a-z]+-[0-9a-f]{10}$`), name)
		require.Empty(t, badName(name))
	}
}

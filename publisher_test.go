package redisstream_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// newMessages makes n messages with the payloads "0", "1", ….
func newMessages(n int) message.Messages {
	msgs := make(message.Messages, n)
	for i := range msgs {
		msgs[i] = message.NewMessage(watermill.NewUUID(), fmt.Append(nil, i))
	}
	return msgs
}

func length(tb testing.TB, server *redistest.Server, topic string) int64 {
	tb.Helper()
	n, ok := server.Do(tb, "XLEN", topic).(int64)
	require.True(tb, ok)
	return n
}

func publisherWith(tb testing.TB, config redisstream.PublisherConfig) *redisstream.Publisher {
	tb.Helper()
	p, err := redisstream.NewPublisher(config, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, p.Close()) })
	return p
}

func TestBatchIsInOrder(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	var want []string
	for range 3 {
		want = append(want, publish(t, publisher, topic, 100)...)
	}
	var got []string
	for _, fields := range entriesOf(t, topic) {
		require.Equal(t, []string{redisstream.UUIDField, "metadata", "payload"}, []string{fields[0], fields[2], fields[4]})
		got = append(got, fields[1])
	}
	require.Equal(t, want, got)
}

// The batches are so large that the server reads each in many pieces, and serves
// others in between.
func TestBatchIsNeverSeenInParts(t *testing.T) {
	t.Parallel()
	const publishers, batches, size = 2, 10, 50
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	var work sync.WaitGroup
	defer work.Wait()
	for range publishers {
		work.Go(func() {
			for range batches {
				msgs := newMessages(size)
				for _, msg := range msgs {
					msg.Payload = make([]byte, 16<<10)
				}
				if err := publisher.Publish(topic, msgs...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { work.Wait(); close(done) }()
	for looks := 0; ; looks++ {
		require.Zero(t, length(t, shared, topic)%size)
		select {
		case <-done:
			require.Positive(t, looks)
			require.Equal(t, int64(publishers*batches*size), length(t, shared, topic))
			return
		default:
		}
	}
}

func TestEntryIDThatIsTooSmallFailsAlone(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := publisherWith(t, redisstream.PublisherConfig{
		Client:  shared.Client(t),
		EntryID: func(_ string, msg *message.Message) string { return msg.Metadata.Get("id") },
	})
	msgs := newMessages(4)
	for i, id := range []string{"5-0", "3-0", "6-*", "7-1"} {
		msgs[i].Metadata.Set("id", id)
	}
	err := publisher.Publish(topic, msgs...)
	var failed *redisstream.PublishError
	require.ErrorAs(t, err, &failed)
	require.NotErrorIs(t, err, redisstream.ErrNonePublished)
	require.NotErrorIs(t, err, redisstream.ErrOutcomeUnknown)
	require.Equal(t, topic, failed.Topic)
	require.Len(t, failed.Outcomes, 4)
	for i, id := range []string{"5-0", "", "6-0", "7-1"} {
		o := failed.Outcomes[i]
		require.Same(t, msgs[i], o.Message)
		require.Equal(t, id, o.EntryID)
		require.Equal(t, id == "", o.Err != nil)
		require.False(t, o.Unknown)
	}
	require.Equal(t, int64(3), length(t, shared, topic))

	err = publisher.Publish(topic, msgs[1])
	require.ErrorIs(t, err, redisstream.ErrNonePublished)
	require.ErrorAs(t, err, &failed)
	require.Empty(t, failed.Outcomes[0].EntryID)
}

func TestRefusedCommandPublishesNothingOfItsBatch(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := newPublisher(t, server.Client(t))
	server.Do(t, "ACL", "SETUSER", "default", "-xadd")
	for _, n := range []int{1, 5} {
		err := publisher.Publish("orders", newMessages(n)...)
		require.ErrorIs(t, err, redisstream.ErrNonePublished)
		require.ErrorContains(t, err, "xadd")
	}
	server.Do(t, "ACL", "SETUSER", "default", "+xadd")
	publish(t, publisher, "orders", 5)
	server.Do(t, "CONFIG", "SET", "maxmemory", "1")
	for _, n := range []int{1, 5} {
		err := publisher.Publish("orders", newMessages(n)...)
		require.ErrorIs(t, err, redisstream.ErrNonePublished)
		require.NotErrorIs(t, err, redisstream.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "OOM")
	}
	server.Do(t, "CONFIG", "SET", "maxmemory", "0")
	publish(t, publisher, "orders", 5)
	require.Equal(t, int64(10), length(t, server, "orders"))
}

func TestMessageWithACancelledContextIsNotSent(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	for _, n := range []int{1, 3} {
		msgs := newMessages(n)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		msgs[n/2].SetContext(ctx)
		err := publisher.Publish(topic, msgs...)
		require.ErrorIs(t, err, redisstream.ErrNonePublished)
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Zero(t, length(t, shared, topic))
}

func TestMessageThatCannotBeMarshaledIsNotSent(t *testing.T) {
	t.Parallel()
	for name, marshaler := range map[string]redisstream.Marshaler{
		"default":            redisstream.DefaultMarshaler{},
		"another type of it": &redisstream.DefaultMarshaler{},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publisher := publisherWith(t, redisstream.PublisherConfig{Client: shared.Client(t), Marshaler: marshaler})
			for _, n := range []int{1, 3} {
				msgs := newMessages(n)
				msgs[n/2].Metadata.Set(redisstream.UUIDField, "x")
				err := publisher.Publish(topic, msgs...)
				require.ErrorIs(t, err, redisstream.ErrNonePublished)
				require.ErrorContains(t, err, "reserved for the UUID")
			}
			require.Zero(t, length(t, shared, topic))
		})
	}
}

func TestPublishingToAServerThatIsDownPublishesNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	one := func(o *rueidis.ClientOption) { o.PipelineMultiplex = -1 } // of several connections, each has to find out
	publisher := newPublisher(t, server.Client(t, one))
	publish(t, publisher, "orders", 1)
	server.Kill(t)
	for _, n := range []int{1, 3} {
		var err error
		eventually(t, healTime, func() bool { // the first one may find out that the connection is broken
			err = publisher.Publish("orders", newMessages(n)...)
			return errors.Is(err, redisstream.ErrNonePublished)
		}, "a refused connection is a certain answer")
		require.NotErrorIs(t, err, redisstream.ErrOutcomeUnknown)
		require.ErrorIs(t, publisher.Publish("orders", newMessages(n)...), redisstream.ErrNonePublished)
	}
	server.Restart(t)
	eventually(t, healTime, func() bool { return publisher.Publish("orders", newMessages(1)...) == nil }, "it publishes again")
}

func TestConnectionCutWhileTheServerIsFrozenLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			proxy := redistest.NewProxy(t, server.Addr())
			publisher := newPublisher(t, server.Client(t, through(proxy)))
			publish(t, publisher, "orders", 1)
			server.Pause(t)
			failed := make(chan error, 1)
			msgs := newMessages(n)
			go func() { failed <- publisher.Publish("orders", msgs...) }()
			select {
			case err := <-failed:
				require.FailNow(t, "it has not waited", err)
			case <-time.After(300 * time.Millisecond):
			}
			proxy.Cut()
			err := <-failed
			require.ErrorIs(t, err, redisstream.ErrOutcomeUnknown)
			require.NotErrorIs(t, err, redisstream.ErrNonePublished)
			var outcomes *redisstream.PublishError
			require.ErrorAs(t, err, &outcomes)
			for _, o := range outcomes.Outcomes {
				require.True(t, o.Unknown)
				require.Empty(t, o.EntryID)
			}
			server.Resume(t)
			eventually(t, healTime, func() bool { return publisher.Publish("orders", newMessages(1)...) == nil }, "it publishes again")
			require.Contains(t, []int64{2, int64(2 + n)}, length(t, server, "orders"), "all or none, and once")
		})
	}
}

func TestBatchIsPublishedWithoutTheRightToTransactions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := newPublisher(t, server.Client(t))
	server.Do(t, "ACL", "SETUSER", "default", "-multi")
	for range 3 {
		publish(t, publisher, "orders", 10)
	}
	require.Equal(t, int64(30), length(t, server, "orders"))
	server.Do(t, "ACL", "SETUSER", "default", "-xadd")
	err := publisher.Publish("orders", newMessages(2)...)
	require.ErrorIs(t, err, redisstream.ErrNonePublished)
	var failed *redisstream.PublishError
	require.ErrorAs(t, err, &failed)
	require.Empty(t, failed.Outcomes[0].EntryID)
}

func TestMaxLenTrims(t *testing.T) {
	t.Parallel()
	topic, other := newTopic(t), newTopic(t)
	publisher := publisherWith(t, redisstream.PublisherConfig{Client: shared.Client(t), MaxLen: func(of string) int64 {
		if of == topic {
			return 100
		}
		return 0
	}})
	for range 10 {
		publish(t, publisher, topic, 100)
		publish(t, publisher, other, 100)
	}
	require.GreaterOrEqual(t, length(t, shared, topic), int64(100))
	require.Less(t, length(t, shared, topic), int64(300))
	require.Equal(t, int64(1000), length(t, shared, other))
}

func TestCloseWaitsForCallsOfPublish(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := newPublisher(t, server.Client(t))
	publish(t, publisher, "orders", 1)
	server.Pause(t)
	published, closed := make(chan error, 1), make(chan error, 1)
	go func() { published <- publisher.Publish("orders", newMessages(2)...) }()
	select {
	case err := <-published:
		require.FailNow(t, "it has not waited", err)
	case <-time.After(200 * time.Millisecond):
	}
	go func() { closed <- publisher.Close() }()
	select {
	case err := <-closed:
		require.FailNow(t, "Close has not waited", err)
	case <-time.After(500 * time.Millisecond):
	}
	server.Resume(t)
	require.NoError(t, <-published)
	require.NoError(t, <-closed)
	require.ErrorIs(t, publisher.Publish("orders", newMessages(1)...), redisstream.ErrPublisherClosed)
	require.NoError(t, publisher.Close())
	require.Equal(t, int64(3), length(t, server, "orders"))
}

func TestReceiptHasTheIDsInOrder(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	ctx, receipt := redisstream.WithReceipt(t.Context())
	var want []string
	for range 2 {
		msgs := newMessages(10)
		for _, msg := range msgs {
			msg.SetContext(ctx)
		}
		require.NoError(t, publisher.Publish(topic, msgs...))
	}
	list, ok := shared.Do(t, "XRANGE", topic, "-", "+").([]any)
	require.True(t, ok)
	for _, item := range list {
		parts, ok := item.([]any)
		require.True(t, ok)
		id, ok := parts[0].(string)
		require.True(t, ok)
		want = append(want, id)
	}
	require.Len(t, want, 20)
	require.Equal(t, want, receipt.EntryIDs())
}

// configErrors collects all of them by field.
func configErrors(err error) map[string]*redisstream.ConfigError {
	found := map[string]*redisstream.ConfigError{}
	var walk func(error)
	walk = func(err error) {
		var one *redisstream.ConfigError
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				walk(e)
			}
		} else if errors.As(err, &one) {
			found[one.Field] = one
		}
	}
	walk(err)
	return found
}

func TestConfigErrorsNameEveryBadField(t *testing.T) {
	t.Parallel()
	_, err := redisstream.NewPublisher(redisstream.PublisherConfig{}, nil)
	require.Contains(t, configErrors(err), "PublisherConfig.Client")
	_, err = redisstream.NewSubscriber(redisstream.SubscriberConfig{
		ConsumerGroup: "streams", Consumer: "~released", MaxInFlight: -1, Start: redisstream.StartAfterID("x-y"),
		MinIdle: time.Millisecond, CloseTimeout: time.Hour, ConsumerTimeout: -1, BlockingPoolSize: 8,
	}, nil)
	bad := configErrors(err)
	want := map[string]any{
		"Client": nil, "ConsumerGroup": "streams", "Consumer": "~released", "MaxInFlight": -1, "Start": "x-y",
		"MinIdle": time.Millisecond, "CloseTimeout": time.Hour, "ConsumerTimeout": -time.Nanosecond, "BlockingPoolSize": 8,
	}
	require.Len(t, bad, len(want))
	for field, value := range want {
		require.Contains(t, bad, "SubscriberConfig."+field)
		e := bad["SubscriberConfig."+field]
		require.Equal(t, value, e.Value)
		require.NotEmpty(t, e.Reason)
		require.True(t, strings.HasPrefix(e.Error(), "SubscriberConfig."+field+" = "), e.Error())
	}
	_, err = redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: shared.Client(t), Consumer: "c", AtMostOnce: true,
		ShouldClaim: func(string, redisstream.PendingEntry) bool { return true },
	}, nil)
	require.Len(t, configErrors(err), 3, "these need a group")
}

func TestBadAnswersOfThePublishersFunctionsAreRefused(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	for field, config := range map[string]redisstream.PublisherConfig{
		"PublisherConfig.MaxLen":  {Client: client, MaxLen: func(string) int64 { return -1 }},
		"PublisherConfig.EntryID": {Client: client, EntryID: func(string, *message.Message) string { return "5-x" }},
	} {
		err := publisherWith(t, config).Publish(topic, newMessages(2)...)
		require.ErrorIs(t, err, redisstream.ErrNonePublished)
		var bad *redisstream.ConfigError
		require.ErrorAs(t, err, &bad)
		require.Equal(t, field, bad.Field)
	}
	for _, bad := range []string{"", "STREAMS"} {
		var e *redisstream.ConfigError
		require.ErrorAs(t, newPublisher(t, client).Publish(bad, newMessages(1)...), &e)
	}
	require.Zero(t, length(t, shared, topic))
}

func TestManyGoroutinesPublishAtOnce(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	var work sync.WaitGroup
	for range 50 {
		work.Go(func() {
			for i := range 40 {
				if err := publisher.Publish(topic, newMessages(1+i%3)...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	seen := map[string]int{}
	for _, fields := range entriesOf(t, topic) {
		seen[fields[1]]++
	}
	require.Len(t, seen, 50*(14*1+13*2+13*3))
	requireOnce(t, seen)
}

// rueidis has one error for a closed client, whether it had sent the command or
// not.
func TestClientClosedUnderAPublishLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true})
	require.NoError(t, err)
	publisher := newPublisher(t, client)
	var work sync.WaitGroup
	for range 8 { // many at once, so that the client pipelines from then on
		work.Go(func() {
			for range 20 {
				if err := publisher.Publish("orders", newMessages(1)...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	before := length(t, server, "orders")
	server.Pause(t)
	errs := make(chan error, 2)
	for range cap(errs) {
		go func() { errs <- publisher.Publish("orders", newMessages(1)...) }()
	}
	requireNoError(t, errs, 200*time.Millisecond)
	client.Close()
	for range cap(errs) {
		err := <-errs
		require.ErrorIs(t, err, redisstream.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, redisstream.ErrNonePublished)
	}
	server.Resume(t)
	eventually(t, healTime, func() bool { return length(t, server, "orders") > before }, "they were published")
}

// requireNoError fails if an error comes within the time.
func requireNoError(tb testing.TB, errs <-chan error, within time.Duration) {
	tb.Helper()
	select {
	case err := <-errs:
		require.FailNow(tb, "too early", "%v", err)
	case <-time.After(within):
	}
}

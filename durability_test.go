package redisstream_test

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// oneReplica gives up soon, so that tests don't take long.
var oneReplica = redisstream.Durability{Replicas: 1, Timeout: 100 * time.Millisecond}

// whenWell waits for a replica that is well, however busy the machine.
var whenWell = redisstream.Durability{Replicas: 1, Timeout: 30 * time.Second}

func durablePublisher(tb testing.TB, client rueidis.Client, d redisstream.Durability) *redisstream.Publisher {
	tb.Helper()
	return publisherWith(tb, redisstream.PublisherConfig{Client: client, Durability: d})
}

// requireNotDurable checks that all messages of a call are stored, and that the error says of each
// what is missing.
func requireNotDurable(tb testing.TB, err error, messages int) *redisstream.NotDurableError {
	tb.Helper()
	require.ErrorIs(tb, err, redisstream.ErrNotDurable)
	require.NotErrorIs(tb, err, redisstream.ErrNonePublished)
	require.NotErrorIs(tb, err, redisstream.ErrOutcomeUnknown)
	var failed *redisstream.PublishError
	require.ErrorAs(tb, err, &failed)
	require.Len(tb, failed.Outcomes, messages)
	var short *redisstream.NotDurableError
	for _, o := range failed.Outcomes {
		require.NotEmpty(tb, o.EntryID)
		require.False(tb, o.Unknown)
		require.ErrorAs(tb, o.Err, &short)
	}
	require.Len(tb, failed.Unwrap(), 1, "they were published together")
	require.ErrorContains(tb, err, fmt.Sprintf("%d published, 0 unknown, 0 not published", messages))
	return short
}

func TestPublishWaitsForAReplica(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 5} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			master, replica := newPair(t)
			client := master.Client(t)
			durable, quick := durablePublisher(t, client, whenWell), durablePublisher(t, client, oneReplica)
			require.NoError(t, durable.Publish("orders", newMessages(size)...))
			require.Equal(t, int64(size), length(t, replica, "orders"), "the replica has it when Publish returns")

			replica.Pause(t)
			ctx, receipt := redisstream.WithReceipt(t.Context())
			msgs := newMessages(size)
			for _, msg := range msgs {
				msg.SetContext(ctx)
			}
			begin := time.Now()
			err := quick.Publish("orders", msgs...)
			require.Less(t, time.Since(begin), 5*time.Second)
			short := requireNotDurable(t, err, size)
			require.Zero(t, short.Replicas)
			require.NoError(t, short.Err)
			require.ErrorContains(t, err, "after 100ms, 0 of 1 replicas have it")
			require.Equal(t, int64(2*size), length(t, master, "orders"))
			require.Len(t, receipt.EntryIDs(), size, "they are stored")

			replica.Resume(t)
			require.NoError(t, durable.Publish("orders", newMessages(size)...))
			require.Equal(t, int64(3*size), length(t, replica, "orders"))
		})
	}
}

func TestPublishWithoutReplicasIsNotDurable(t *testing.T) {
	t.Parallel()
	topic, d := newTopic(t), oneReplica
	d.Timeout = 0
	begin := time.Now()
	err := durablePublisher(t, shared.Client(t), d).Publish(topic, newMessages(1)...)
	require.Zero(t, requireNotDurable(t, err, 1).Replicas)
	require.ErrorContains(t, err, "after 1s, 0 of 1 replicas have it")
	require.GreaterOrEqual(t, time.Since(begin), time.Second)
	require.Less(t, time.Since(begin), 9*time.Second)
	require.Equal(t, int64(1), length(t, shared, topic))
}

// What is refused is not stored, and what was published together with it is as durable as it is.
func TestRefusedMessageIsNotDurableAndNotStored(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := publisherWith(t, redisstream.PublisherConfig{
		Client: shared.Client(t), Durability: oneReplica,
		EntryID: func(_ string, msg *message.Message) string { return msg.Metadata.Get("id") },
	})
	msgs := newMessages(2)
	msgs[0].Metadata.Set("id", "5-0")
	msgs[1].Metadata.Set("id", "3-0")
	err := publisher.Publish(topic, msgs...)
	require.ErrorIs(t, err, redisstream.ErrNotDurable)
	require.ErrorContains(t, err, "1 published, 0 unknown, 1 not published")
	var failed *redisstream.PublishError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "5-0", failed.Outcomes[0].EntryID)
	require.Empty(t, failed.Outcomes[1].EntryID)
	require.NotErrorIs(t, failed.Outcomes[1].Err, redisstream.ErrNotDurable)
	require.ErrorContains(t, failed.Outcomes[1].Err, "equal or smaller")

	err = publisher.Publish(topic, msgs[1])
	require.ErrorIs(t, err, redisstream.ErrNonePublished)
	require.NotErrorIs(t, err, redisstream.ErrNotDurable)
}

func TestMasterThatMissesItsReplicasStoresNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config("min-replicas-to-write", "1"))
	err := durablePublisher(t, server.Client(t), oneReplica).Publish("orders", newMessages(2)...)
	require.ErrorIs(t, err, redisstream.ErrNonePublished)
	require.ErrorContains(t, err, "NOREPLICAS")
	require.NotErrorIs(t, err, redisstream.ErrNotDurable)
	require.Zero(t, length(t, server, "orders"))
}

// Each of many goroutines publishes one message after the other. They wait together, and each
// one's messages stay in order.
func TestMessagesOfManyWaitTogether(t *testing.T) {
	t.Parallel()
	const goroutines, each = 64, 25
	master, replica := newPair(t)
	publisher := durablePublisher(t, master.Client(t), whenWell)
	var work sync.WaitGroup
	for g := range goroutines {
		work.Go(func() {
			for i := range each {
				msg := message.NewMessage(strconv.Itoa(g), fmt.Appendf(nil, "%03d", i))
				if err := publisher.Publish("orders", msg); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	t.Log("waits:", waits(t, master))
	require.Less(t, waits(t, master), goroutines*each/5)
	require.LessOrEqual(t, len(replica.Do(t, "XRANGE", "orders", "-", "+").([]any)), goroutines*each)
	pages := map[string][]string{}
	for _, fields := range fieldsAt(t, replica, "orders") {
		pages[fields[1]] = append(pages[fields[1]], fields[5])
	}
	require.Len(t, pages, goroutines)
	for _, page := range pages {
		require.Len(t, page, each)
		require.True(t, slices.IsSorted(page))
	}
}

// fieldsAt are the fields of a stream's entries at a server.
func fieldsAt(tb testing.TB, server *redistest.Server, stream string) (all [][]string) {
	tb.Helper()
	for _, entry := range server.Do(tb, "XRANGE", stream, "-", "+").([]any) {
		var fields []string
		for _, field := range entry.([]any)[1].([]any) {
			fields = append(fields, field.(string))
		}
		all = append(all, fields)
	}
	return all
}

func TestPartitionsOfOneServerWaitTogether(t *testing.T) {
	t.Parallel()
	const n, each = 8, 10
	master, replica := newPair(t)
	config := partitioned(master.Client(t), n)
	config.Durability = whenWell
	publisher := publisherWith(t, config)
	require.NoError(t, publisher.Publish("orders", newMessages(1)...))
	before := waits(t, master)
	require.NoError(t, publisher.Publish("orders", newMessages(n*each-1)...))
	require.Equal(t, before+1, waits(t, master))
	for i := range n {
		require.Equal(t, int64(each), length(t, replica, fmt.Sprint("orders:", i)))
	}
	replica.Pause(t)
	config.Durability = oneReplica
	err := publisherWith(t, config).Publish("orders", newMessages(n*each)...)
	require.Zero(t, requireNotDurable(t, err, n*each).Replicas)
}

// Others travel with the first one's goroutine; a server that can't wait tells all.
func TestServerThatMayNotWaitStoresNothing(t *testing.T) {
	t.Parallel()
	server, _ := newPair(t)
	server.Do(t, "ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-wait")
	publisher := durablePublisher(t, server.Client(t, func(o *rueidis.ClientOption) { o.Username, o.Password = "limited", "secret" }), whenWell)
	for range 2 {
		err := publisher.Publish("orders", newMessages(2)...)
		require.ErrorIs(t, err, redisstream.ErrNonePublished)
		require.NotErrorIs(t, err, redisstream.ErrNotDurable)
		require.ErrorContains(t, err, "the user may not wait")
		require.Zero(t, length(t, server, "orders"))
	}
	server.Do(t, "ACL", "SETUSER", "limited", "+wait")
	require.NoError(t, publisher.Publish("orders", newMessages(2)...))
	server.Do(t, "ACL", "SETUSER", "limited", "-wait")
	err := publisher.Publish("orders", newMessages(2)...)
	short := requireNotDurable(t, err, 2)
	require.Equal(t, -1, short.Replicas)
	require.ErrorContains(t, short.Err, "NOPERM")
	require.ErrorIs(t, publisher.Publish("orders", newMessages(2)...), redisstream.ErrNonePublished, "it is known by now")
	require.Equal(t, int64(4), length(t, server, "orders"))
}

// Nobody knows whether a message is stored when the server has not answered.
func TestFrozenMasterMakesNothingDurable(t *testing.T) {
	t.Parallel()
	master, _ := newPair(t)
	client := master.Client(t)
	require.NoError(t, durablePublisher(t, client, whenWell).Publish("orders", newMessages(1)...))
	publisher := durablePublisher(t, client, oneReplica)
	_ = publisher.Publish("orders", newMessages(1)...) // it knows the master now
	master.Pause(t)
	begin := time.Now()
	err := publisher.Publish("orders", newMessages(1)...)
	require.ErrorIs(t, err, redisstream.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, redisstream.ErrNotDurable)
	require.GreaterOrEqual(t, time.Since(begin), 10*time.Second)
	require.Less(t, time.Since(begin), 15*time.Second)
	master.Resume(t)
	require.NoError(t, durablePublisher(t, client, whenWell).Publish("orders", newMessages(1)...))
}

func TestConnectionThatEndsWhileItWaitsLeavesItOpen(t *testing.T) {
	t.Parallel()
	master, replica := newPair(t)
	proxy := redistest.NewProxy(t, master.Addr())
	client := master.Client(t, func(o *rueidis.ClientOption) { o.InitAddress = []string{proxy.Addr()} })
	publisher := durablePublisher(t, client, whenWell)
	require.NoError(t, publisher.Publish("orders", newMessages(1)...))
	replica.Pause(t)
	answer := make(chan error, 1)
	go func() { answer <- publisher.Publish("orders", newMessages(1)...) }()
	eventually(t, healTime, func() bool { return length(t, master, "orders") == 2 }, "it is stored")
	proxy.Cut()
	err := <-answer
	require.ErrorIs(t, err, redisstream.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, redisstream.ErrNotDurable)
	replica.Resume(t)
	require.NoError(t, publisher.Publish("orders", newMessages(1)...))
}

func TestMasterThatIsAwayHasStoredNothing(t *testing.T) {
	t.Parallel()
	master, _ := newPair(t)
	publisher := durablePublisher(t, master.Client(t), oneReplica)
	master.Kill(t)
	require.ErrorIs(t, publisher.Publish("orders", newMessages(3)...), redisstream.ErrNonePublished)
}

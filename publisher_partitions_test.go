package redisstream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// clustered is a client that says that it is one of a cluster, where the partitions are
// sent one by one.
type clustered struct{ rueidis.Client }

func (clustered) Mode() rueidis.ClientMode { return rueidis.ClientModeCluster }

// ways runs a test with both ways to send to several partitions.
func ways(t *testing.T, test func(t *testing.T, wrap func(rueidis.Client) rueidis.Client)) {
	t.Helper()
	for name, wrap := range map[string]func(rueidis.Client) rueidis.Client{
		"one server": func(c rueidis.Client) rueidis.Client { return c },
		"cluster":    func(c rueidis.Client) rueidis.Client { return clustered{c} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, wrap)
		})
	}
}

// partitioned is a configuration for topics with n partitions and keys in the metadata.
func partitioned(client rueidis.Client, n int) redisstream.PublisherConfig {
	return redisstream.PublisherConfig{
		Client: client, Partitions: func(string) int { return n }, PartitionKey: redisstream.KeyFromMetadata("key"),
	}
}

// keyed makes messages with these keys and the payloads "0", "1", ….
func keyed(keys ...string) message.Messages {
	msgs := newMessages(len(keys))
	for i, key := range keys {
		msgs[i].Metadata.Set("key", key)
	}
	return msgs
}

// keyFor is a key that belongs to a partition.
func keyFor(partition, n int) string {
	for i := 0; ; i++ {
		if key := fmt.Sprint("key-", i); redisstream.PartitionOf(key, n) == partition {
			return key
		}
	}
}

// keysFor are keys that belong to these partitions.
func keysFor(n int, partitions ...int) []string {
	keys := make([]string, len(partitions))
	for i, p := range partitions {
		keys[i] = keyFor(p, n)
	}
	return keys
}

// uuidsOf are the UUIDs of the entries of a stream, and their IDs.
func uuidsOf(tb testing.TB, stream string) (uuids, ids []string) {
	tb.Helper()
	for _, item := range shared.Do(tb, "XRANGE", stream, "-", "+").([]any) {
		parts := item.([]any)
		ids = append(ids, parts[0].(string))
		uuids = append(uuids, parts[1].([]any)[1].(string))
	}
	return uuids, ids
}

func requireRecorded(tb testing.TB, server *redistest.Server, topic string, n int) {
	tb.Helper()
	require.Equal(tb, []any{"n", strconv.Itoa(n)}, server.Do(tb, "HGETALL", "{"+topic+"}:partitions"))
}

func TestKeyedMessagesAreInOrderInTheirPartitions(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, wrap func(rueidis.Client) rueidis.Client) {
		t.Helper()
		const n = 8
		topic := newTopic(t)
		publisher := publisherWith(t, partitioned(wrap(shared.Client(t)), n))
		want := make([][]string, n)
		var ids []string
		for range 5 {
			var keys []string
			for range 200 {
				keys = append(keys, fmt.Sprint("key-", rand.IntN(50)))
			}
			ctx, receipt := redisstream.WithReceipt(t.Context())
			msgs := keyed(keys...)
			for i, msg := range msgs {
				msg.SetContext(ctx)
				p := redisstream.PartitionOf(keys[i], n)
				want[p] = append(want[p], msg.UUID)
			}
			require.NoError(t, publisher.Publish(topic, msgs...))
			ids = receipt.EntryIDs()
			require.Len(t, ids, len(msgs))
			for i, msg := range msgs {
				p := redisstream.PartitionOf(keys[i], n)
				found := shared.Do(t, "XRANGE", fmt.Sprintf("%s:%d", topic, p), ids[i], ids[i]).([]any)
				require.Len(t, found, 1)
				require.Equal(t, msg.UUID, found[0].([]any)[1].([]any)[1], "receipts are in the order of messages")
			}
		}
		for p := range n {
			got, _ := uuidsOf(t, fmt.Sprintf("%s:%d", topic, p))
			require.NotEmpty(t, got)
			require.Equal(t, want[p], got)
		}
		require.Zero(t, length(t, shared, topic))
		requireRecorded(t, shared, topic, n)
	})
}

func TestMessagesWithoutAKeyAreSpreadEvenly(t *testing.T) {
	t.Parallel()
	const n, each = 7, 30
	for name, c := range map[string]struct {
		batch int
		key   redisstream.KeyFunc
	}{
		"one at a time":        {1, nil},
		"batches":              {21, redisstream.KeyFromMetadata("none")},
		"batches of odd sizes": {10, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic, config := newTopic(t), partitioned(shared.Client(t), n)
			config.PartitionKey = c.key
			publisher := publisherWith(t, config)
			for range n * each / c.batch {
				require.NoError(t, publisher.Publish(topic, newMessages(c.batch)...))
			}
			for p := range n {
				require.Equal(t, int64(each), length(t, shared, fmt.Sprintf("%s:%d", topic, p)))
			}
		})
	}
}

// Processes that publish one message each must not all begin with the same partition.
func TestPublishersBeginAnywhere(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	used := map[int]bool{}
	for range 50 {
		require.NoError(t, publisherWith(t, partitioned(client, 4)).Publish(topic, newMessages(1)...))
	}
	for p := range 4 {
		used[p] = length(t, shared, fmt.Sprintf("%s:%d", topic, p)) > 0
	}
	require.Equal(t, map[int]bool{0: true, 1: true, 2: true, 3: true}, used)
}

func TestOnePartitionIsTheOrdinaryStream(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	config := partitioned(shared.Client(t), 1)
	publisher := publisherWith(t, config)
	msgs := keyed("a", "b", "", "a", "c")
	require.NoError(t, publisher.Publish(topic, msgs[0]))
	require.NoError(t, publisher.Publish(topic, msgs[1:]...))
	got, _ := uuidsOf(t, topic)
	require.Equal(t, msgs.IDs(), got)
	requireRecorded(t, shared, topic, 1)
}

func TestNoPartitionsRecordNothing(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	config := partitioned(shared.Client(t), 0)
	config.PartitionKey = func(string, *message.Message) (string, error) { return "", errors.New("nobody asks") }
	publisher := publisherWith(t, config)
	publish(t, publisher, topic, 1)
	publish(t, publisher, topic, 3)
	publish(t, publisher, topic+"}", 3)
	require.Equal(t, int64(4), length(t, shared, topic))
	require.Equal(t, int64(0), shared.Do(t, "EXISTS", "{"+topic+"}:partitions"))
}

func TestPartitionsDependOnTheTopic(t *testing.T) {
	t.Parallel()
	topics := []string{newTopic(t), newTopic(t), newTopic(t)}
	config := partitioned(shared.Client(t), 0)
	config.Partitions = func(topic string) int {
		return map[string]int{topics[0]: 0, topics[1]: 2, topics[2]: 3}[topic]
	}
	publisher := publisherWith(t, config)
	for _, topic := range topics {
		require.NoError(t, publisher.Publish(topic, newMessages(6)...))
	}
	require.Equal(t, int64(6), length(t, shared, topics[0]))
	require.Equal(t, int64(3), length(t, shared, topics[1]+":1"))
	require.Equal(t, int64(2), length(t, shared, topics[2]+":2"))
}

func TestPartitionsHaveTheSameEntriesAsOrdinaryStreams(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	msgs := keyed(keyFor(1, 3), keyFor(1, 3))
	msgs[1].Payload = []byte("\x00\xff")
	ordinary := newTopic(t)
	require.NoError(t, newPublisher(t, client).Publish(ordinary, msgs...))
	publisher := publisherWith(t, partitioned(client, 3))
	require.NoError(t, publisher.Publish(topic, msgs[0]))
	require.NoError(t, publisher.Publish(topic, msgs[1]))
	require.NoError(t, publisher.Publish(topic, append(msgs, keyed(keyFor(0, 3))...)...))
	want := entriesOf(t, ordinary)
	require.Equal(t, append(want, want...), entriesOf(t, topic+":1"))
}

// Each partition is one transaction, so that what goes wrong in one says nothing of
// the others.
func TestOutcomesAreInOrderWhenAPartitionFails(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, wrap func(rueidis.Client) rueidis.Client) {
		t.Helper()
		const n = 4
		topic := newTopic(t)
		publisher := publisherWith(t, partitioned(wrap(shared.Client(t)), n))
		shared.Do(t, "SET", topic+":1", "no stream")
		shared.Do(t, "SET", topic+":3", "no stream")
		partitions := []int{1, 0, 2, 1, 3, 0, 2, 1, 0}
		ctx, receipt := redisstream.WithReceipt(t.Context())
		msgs := keyed(keysFor(n, partitions...)...)
		for _, msg := range msgs {
			msg.SetContext(ctx)
		}
		err := publisher.Publish(topic, msgs...)
		var failed *redisstream.PublishError
		require.ErrorAs(t, err, &failed)
		require.ErrorContains(t, err, "5 published, 0 unknown, 4 not published: WRONGTYPE")
		require.NotErrorIs(t, err, redisstream.ErrNonePublished)
		require.NotErrorIs(t, err, redisstream.ErrOutcomeUnknown)
		require.Len(t, failed.Outcomes, len(msgs))
		var ids []string
		for i, p := range partitions {
			o := failed.Outcomes[i]
			require.Same(t, msgs[i], o.Message)
			require.False(t, o.Unknown)
			if p%2 == 1 {
				require.ErrorContains(t, o.Err, "WRONGTYPE")
				require.Empty(t, o.EntryID)
				continue
			}
			require.NoError(t, o.Err)
			ids = append(ids, o.EntryID)
			found := shared.Do(t, "XRANGE", fmt.Sprintf("%s:%d", topic, p), o.EntryID, o.EntryID).([]any)
			require.Len(t, found, 1)
			require.Equal(t, msgs[i].UUID, found[0].([]any)[1].([]any)[1])
		}
		require.Equal(t, ids, receipt.EntryIDs())
		err = publisher.Publish(topic, keyed(keysFor(n, 1, 3, 1)...)...)
		require.ErrorIs(t, err, redisstream.ErrNonePublished)
	})
}

// Without the right to transactions each entry is added by itself, as in one stream.
func TestPartitionsWithoutTheRightToTransactions(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, wrap func(rueidis.Client) rueidis.Client) {
		t.Helper()
		server := redistest.Start(t)
		publisher := publisherWith(t, partitioned(wrap(server.Client(t)), 3))
		server.Do(t, "ACL", "SETUSER", "default", "-multi")
		for range 3 {
			require.NoError(t, publisher.Publish("orders", newMessages(10)...))
		}
		total := int64(0)
		for p := range 3 {
			total += length(t, server, fmt.Sprint("orders:", p))
		}
		require.Equal(t, int64(30), total)
	})
}

func TestNothingIsSentToPartitionsWhenAMessageIsRefused(t *testing.T) {
	t.Parallel()
	const n = 3
	topic, client := newTopic(t), shared.Client(t)
	no := errors.New("no")
	config := partitioned(client, n)
	config.PartitionKey = func(_ string, msg *message.Message) (string, error) {
		if msg.Metadata.Get("bad") == "key" {
			return "", no
		}
		return msg.Metadata.Get("key"), nil
	}
	publisher := publisherWith(t, config)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		spoil func(*message.Message)
		want  error
	}{
		"key":       {func(msg *message.Message) { msg.Metadata.Set("bad", "key") }, no},
		"context":   {func(msg *message.Message) { msg.SetContext(ended) }, context.Canceled},
		"marshaler": {func(msg *message.Message) { msg.Metadata.Set(redisstream.UUIDField, "x") }, nil},
	} {
		for _, size := range []int{1, 10} {
			msgs := newMessages(size)
			c.spoil(msgs[size-1])
			err := publisher.Publish(topic, msgs...)
			require.ErrorIs(t, err, redisstream.ErrNonePublished, name)
			require.ErrorContains(t, err, "message "+msgs[size-1].UUID, name)
			if c.want != nil {
				require.ErrorIs(t, err, c.want, name)
			}
		}
	}
	for p := range n {
		require.Zero(t, length(t, shared, fmt.Sprintf("%s:%d", topic, p)))
	}
}

func TestMaxLenAndEntryIDAreOfAPartition(t *testing.T) {
	t.Parallel()
	const n = 2
	topic, config := newTopic(t), partitioned(shared.Client(t), n)
	config.MaxLen = func(of string) int64 {
		if of != topic {
			t.Errorf("MaxLen was asked of %q", of)
		}
		return 100
	}
	config.EntryID = func(of string, msg *message.Message) string {
		if of != topic {
			t.Errorf("EntryID was asked of %q", of)
		}
		return msg.Metadata.Get("id")
	}
	publisher := publisherWith(t, config)
	msgs := keyed(keysFor(n, 0, 1, 0, 1)...)
	for i, id := range []string{"1-1", "1-1", "1-2", "1-*"} {
		msgs[i].Metadata.Set("id", id)
	}
	ctx, receipt := redisstream.WithReceipt(t.Context())
	for _, msg := range msgs {
		msg.SetContext(ctx)
	}
	require.NoError(t, publisher.Publish(topic, msgs...))
	require.Equal(t, []string{"1-1", "1-1", "1-2", "1-2"}, receipt.EntryIDs())
	for range 10 {
		require.NoError(t, publisher.Publish(topic, newMessages(100)...))
	}
	for p := range n {
		got := length(t, shared, fmt.Sprintf("%s:%d", topic, p))
		require.GreaterOrEqual(t, got, int64(100))
		require.Less(t, got, int64(300))
	}
}

func TestBadPartitionsAreConfigErrors(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	requireConfigError := func(err error, field string, value any) {
		t.Helper()
		require.ErrorIs(t, err, redisstream.ErrNonePublished)
		var bad *redisstream.ConfigError
		require.ErrorAs(t, err, &bad)
		require.Equal(t, field, bad.Field)
		require.Equal(t, value, bad.Value)
		require.NotEmpty(t, bad.Reason)
	}
	for _, n := range []int{-1, 1025} {
		for size := 1; size < 3; size++ {
			err := publisherWith(t, partitioned(client, n)).Publish(topic, newMessages(size)...)
			requireConfigError(err, "PublisherConfig.Partitions", n)
		}
	}
	for _, n := range []int{1, 2} {
		err := publisherWith(t, partitioned(client, n)).Publish(topic+"}", newMessages(2)...)
		requireConfigError(err, "topic", topic+"}")
	}
	require.NoError(t, publisherWith(t, partitioned(client, 1024)).Publish(topic, newMessages(2)...))
	requireRecorded(t, shared, topic, 1024)

	_, err := redisstream.NewPublisher(redisstream.PublisherConfig{PartitionKey: redisstream.KeyFromMetadata("key")}, nil)
	require.Len(t, configErrors(err), 2)
	require.Contains(t, configErrors(err), "PublisherConfig.PartitionKey")
}

func TestAnotherNumberOfPartitionsIsRefused(t *testing.T) {
	t.Parallel()
	client := shared.Client(t)
	for _, c := range [][2]int{{16, 8}, {8, 16}, {1, 2}, {2, 1}} {
		topic, recorded, other := newTopic(t), c[0], c[1]
		require.NoError(t, publisherWith(t, partitioned(client, recorded)).Publish(topic, newMessages(1)...))
		publisher := publisherWith(t, partitioned(client, other))
		for size := 1; size < 4; size++ {
			err := publisher.Publish(topic, newMessages(size)...)
			var wrong *redisstream.PartitionsError
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, redisstream.PartitionsError{Topic: topic, Configured: other, Recorded: recorded}, *wrong)
			require.ErrorIs(t, err, redisstream.ErrNonePublished)
			require.ErrorContains(t, err, fmt.Sprintf("%d partitions", recorded))
			require.ErrorContains(t, err, fmt.Sprintf("%d are configured", other))
			var failed *redisstream.PublishError
			require.ErrorAs(t, err, &failed)
			require.Len(t, failed.Outcomes, size)
		}
		requireRecorded(t, shared, topic, recorded)
		// Whoever mends it needs no new publisher.
		shared.Do(t, "HSET", "{"+topic+"}:partitions", "n", strconv.Itoa(other))
		require.NoError(t, publisher.Publish(topic, newMessages(1)...))
	}
}

// One that says another number than before is another topic to the publisher.
func TestPartitionsThatChangeAreCheckedAgain(t *testing.T) {
	t.Parallel()
	topic, n := newTopic(t), 2
	config := partitioned(shared.Client(t), 0)
	config.Partitions = func(string) int { return n }
	publisher := publisherWith(t, config)
	require.NoError(t, publisher.Publish(topic, newMessages(2)...))
	n = 3
	var wrong *redisstream.PartitionsError
	require.ErrorAs(t, publisher.Publish(topic, newMessages(2)...), &wrong)
	n = 2
	require.NoError(t, publisher.Publish(topic, newMessages(2)...))
}

func TestFirstCheckOfPartitionsMustSucceed(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := publisherWith(t, partitioned(server.Client(t), 2))
	server.Do(t, "ACL", "SETUSER", "default", "-hget")
	err := publisher.Publish("orders", newMessages(3)...)
	require.ErrorIs(t, err, redisstream.ErrNonePublished)
	require.ErrorContains(t, err, "check the number of partitions: ")
	server.Do(t, "ACL", "SETUSER", "default", "+hget")
	server.Kill(t)
	eventually(t, healTime, func() bool {
		err = publisher.Publish("orders", newMessages(3)...)
		var op interface{ Timeout() bool } // of net.OpError
		return errors.As(err, &op)
	}, "nobody answers")
	require.ErrorIs(t, err, redisstream.ErrNonePublished)
	require.NotErrorIs(t, err, redisstream.ErrOutcomeUnknown)
	server.Restart(t)
	eventually(t, healTime, func() bool { return publisher.Publish("orders", newMessages(2)...) == nil }, "it publishes")
	require.Equal(t, int64(1), length(t, server, "orders:0"))
	require.Equal(t, int64(1), length(t, server, "orders:1"))
}

// Nothing of Redis' answer about the number is known, and the streams are well.
func TestPublishingGoesOnWhenTheNumberCannotBeCheckedAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	broken := &noCounts{Client: server.Client(t)}
	publisher := publisherWith(t, partitioned(broken, 2))
	publishFor := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); {
			require.NoError(t, publisher.Publish("orders", newMessages(2)...))
		}
	}
	require.NoError(t, publisher.Publish("orders", newMessages(2)...))
	broken.refuse(errors.New("read: connection reset by peer"))
	publishFor(6 * time.Second)
	require.Equal(t, 1, broken.asked(), "at most every five seconds")
	broken.refuse(nil)
	server.Do(t, "HSET", "{orders}:partitions", "n", "3")
	eventually(t, 7*time.Second, func() bool {
		var wrong *redisstream.PartitionsError
		return errors.As(publisher.Publish("orders", newMessages(2)...), &wrong)
	}, "it asks again")
}

// noCounts is a client whose questions about the number of partitions fail on the way.
type noCounts struct {
	rueidis.Client

	mu   sync.Mutex // protects the following fields
	err  error
	asks int
}

func (c *noCounts) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err, c.asks = err, 0
}

func (c *noCounts) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asks
}

func (c *noCounts) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	c.mu.Lock()
	err := c.err
	if cmd.Commands()[0] == "HGET" {
		c.asks++
	} else {
		err = nil
	}
	c.mu.Unlock()
	if err != nil {
		return rueidis.NewErrorResult(err)
	}
	return c.Client.Do(ctx, cmd) //nolint:forbidigo // it is a client
}

func TestChangedNumberIsNoticedWhilePublishing(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	publisher := publisherWith(t, partitioned(client, 2))
	require.NoError(t, publisher.Publish(topic, newMessages(2)...))
	require.NoError(t, redisstream.SwitchPartitions(t.Context(), client, topic, 2, 4))
	start := time.Now()
	var err error
	eventually(t, 7*time.Second, func() bool {
		err = publisher.Publish(topic, newMessages(2)...)
		return err != nil
	}, "the other number is noticed")
	require.Less(t, time.Since(start), 6*time.Second)
	var wrong *redisstream.PartitionsError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, 4, wrong.Recorded)
	require.ErrorIs(t, err, redisstream.ErrNonePublished)
	require.NoError(t, publisherWith(t, partitioned(client, 4)).Publish(topic, newMessages(4)...))
}

func TestNumberIsRecordedAgainAfterAFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := publisherWith(t, partitioned(server.Client(t), 3))
	var work sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := publisher.Publish("orders", newMessages(5)...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	defer work.Wait()
	defer close(stop)
	exists := func() bool { return server.Do(t, "EXISTS", "{orders}:partitions") == int64(1) }
	eventually(t, healTime, exists, "it is recorded")
	server.Do(t, "FLUSHALL")
	eventually(t, 10*time.Second, exists, "it is recorded again")
	requireRecorded(t, server, "orders", 3)
	before := length(t, server, "orders:2")
	eventually(t, healTime, func() bool { return length(t, server, "orders:2") > before }, "publishing goes on")
}

func TestManyGoroutinesPublishToPartitionsAtOnce(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, wrap func(rueidis.Client) rueidis.Client) {
		t.Helper()
		const n, writers, calls = 5, 20, 30
		topic := newTopic(t)
		publisher := publisherWith(t, partitioned(wrap(shared.Client(t)), n))
		var work sync.WaitGroup
		for w := range writers {
			work.Go(func() {
				seq := 0
				for c := range calls {
					msgs := newMessages(1 + c%3)
					for _, msg := range msgs {
						msg.UUID = fmt.Sprintf("%d/%d", w, seq)
						msg.Metadata.Set("key", fmt.Sprint("writer-", w))
						seq++
					}
					if err := publisher.Publish(topic, msgs...); err != nil {
						t.Error(err)
					}
				}
			})
		}
		work.Wait()
		next := map[string]int{}
		for p := range n {
			uuids, _ := uuidsOf(t, fmt.Sprintf("%s:%d", topic, p))
			for _, uuid := range uuids {
				var w, seq int
				_, err := fmt.Sscanf(uuid, "%d/%d", &w, &seq)
				require.NoError(t, err)
				key := fmt.Sprint("writer-", w)
				require.Equal(t, redisstream.PartitionOf(key, n), p)
				require.Equal(t, next[key], seq, "a key's messages are in order")
				next[key]++
			}
		}
		require.Len(t, next, writers)
		for _, total := range next {
			require.Equal(t, 2*calls, total)
		}
	})
}

// The payloads are not copied, so nobody may read them when Publish has returned.
func TestPublishToPartitionsWaitsForAllOfThem(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, wrap func(rueidis.Client) rueidis.Client) {
		t.Helper()
		server := redistest.Start(t)
		publisher := publisherWith(t, partitioned(wrap(server.Client(t)), 3))
		require.NoError(t, publisher.Publish("orders", newMessages(6)...))
		server.Pause(t)
		ctx, cancel := context.WithCancel(t.Context())
		msgs := newMessages(6)
		for _, msg := range msgs {
			msg.SetContext(ctx)
		}
		published := make(chan error, 1)
		go func() { published <- publisher.Publish("orders", msgs...) }()
		requireNoError(t, published, 200*time.Millisecond)
		cancel()
		requireNoError(t, published, 300*time.Millisecond)
		server.Resume(t)
		require.NoError(t, <-published)
		for p := range 3 {
			require.Equal(t, int64(4), length(t, server, fmt.Sprint("orders:", p)))
		}
	})
}

func TestCutConnectionLeavesTheOutcomeOfPartitionsUnknown(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, wrap func(rueidis.Client) rueidis.Client) {
		t.Helper()
		server := redistest.Start(t)
		proxy := redistest.NewProxy(t, server.Addr())
		publisher := publisherWith(t, partitioned(wrap(server.Client(t, through(proxy))), 3))
		require.NoError(t, publisher.Publish("orders", newMessages(3)...))
		server.Pause(t)
		failed := make(chan error, 1)
		msgs := newMessages(6)
		go func() { failed <- publisher.Publish("orders", msgs...) }()
		requireNoError(t, failed, 300*time.Millisecond)
		proxy.Cut()
		err := <-failed
		require.ErrorIs(t, err, redisstream.ErrOutcomeUnknown)
		require.NotErrorIs(t, err, redisstream.ErrNonePublished)
		var outcomes *redisstream.PublishError
		require.ErrorAs(t, err, &outcomes)
		for i, o := range outcomes.Outcomes {
			require.Same(t, msgs[i], o.Message)
			require.True(t, o.Unknown)
			require.Empty(t, o.EntryID)
		}
		server.Resume(t)
		eventually(t, healTime, func() bool { return publisher.Publish("orders", newMessages(1)...) == nil }, "it publishes again")
	})
}

func TestMessagesForOnePartitionAreNeverSeenInParts(t *testing.T) {
	t.Parallel()
	const n, size = 2, 20
	topic := newTopic(t)
	publisher := publisherWith(t, partitioned(shared.Client(t), n))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			var keys []string
			for i := range n * size {
				keys = append(keys, keyFor(i%n, n))
			}
			msgs := keyed(keys...)
			for _, msg := range msgs {
				msg.Payload = make([]byte, 16<<10)
			}
			if err := publisher.Publish(topic, msgs...); err != nil {
				t.Error(err)
			}
		}
	}()
	for looks := 0; ; looks++ {
		for p := range n {
			require.Zero(t, length(t, shared, fmt.Sprintf("%s:%d", topic, p))%size)
		}
		select {
		case <-done:
			require.Positive(t, looks)
			return
		default:
		}
	}
}

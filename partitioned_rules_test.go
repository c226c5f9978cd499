package redisstream_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func TestPartitionsDeadLettersAreItsOwnAndCanBePutBack(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	s := newSubscriber(t, server, partitionedConfig(partitions))
	out := subscribe(t, s, topic)
	stream := xstream.PartitionStream(topic, 3, partitions)
	p := newPublisher(t, server.Client(t))
	server.Do(t, "XADD", stream, "*", "not", "a message")
	uuids := publish(t, p, stream, 3)
	bad := receive(t, out, healTime)
	require.Equal(t, uuids[0], bad.UUID)
	_ = redisstream.Reject(bad.Context(), errBoom)
	require.True(t, bad.Nack())
	require.Equal(t, uuids[1:], receiveAndAck(t, out, 2, healTime))
	dead, err := s.PartitionDeadLetters(topic, 3)
	require.NoError(t, err)
	require.Equal(t, "{"+stream+"}:dead:g", dead.Stream())
	var letters []redisstream.DeadLetter
	eventually(t, healTime, func() bool {
		letters, err = dead.List(t.Context(), "", 10)
		return err == nil && len(letters) == 2
	}, "both are there")
	require.Contains(t, letters[0].Reason, "unmarshal")
	require.Equal(t, errBoom.Error(), letters[1].Reason)
	ok, err := dead.Requeue(t.Context(), letters[1].ID)
	require.NoError(t, err)
	require.True(t, ok)
	again := receive(t, out, healTime)
	require.Equal(t, bad.UUID, again.UUID)
	n, _ := redisstream.DeliveryCountFromContext(again.Context())
	require.Equal(t, int64(1), n)
	require.True(t, again.Ack())
	eventually(t, healTime, func() bool { return pendingCount(t, server, stream, "g") == 0 }, "nothing is left")
	require.Equal(t, []string{"p3"}, consumers(t, server, stream, "g"))
	_, err = s.DeadLetters(topic)
	require.ErrorContains(t, err, "PartitionDeadLetters")
	for _, none := range []int{-1, partitions} {
		_, err = s.PartitionDeadLetters(topic, none)
		require.ErrorContains(t, err, "8")
	}
}

func TestMessageThatFailedTooOftenLeavesItsPartition(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(1)
	config.MaxDeliveries = 3
	s := newSubscriber(t, server, config)
	out := subscribe(t, s, topic)
	uuids := publish(t, newPublisher(t, server.Client(t)), topic, 2)
	for i := range 3 {
		msg := receive(t, out, healTime)
		require.Equal(t, uuids[0], msg.UUID)
		n, _ := redisstream.DeliveryCountFromContext(msg.Context())
		require.Equal(t, int64(i+1), n)
		require.True(t, msg.Nack())
	}
	require.Equal(t, uuids[1:], receiveAndAck(t, out, 1, healTime))
}

// The count goes on with the next owner, and what has only waited in buffers is not counted.
func TestCountsGoWithThePartition(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(1)
	config.CloseTimeout = 50 * time.Millisecond
	publish(t, newPublisher(t, server.Client(t)), topic, 200)
	for round := range 4 {
		s := newSubscriber(t, server, config)
		out, err := s.Subscribe(context.Background(), topic)
		require.NoError(t, err)
		msgs := make([]*message.Message, 20)
		for i := range 19 {
			msgs[i] = receive(t, out, healTime)
			n, _ := redisstream.DeliveryCountFromContext(msgs[i].Context())
			want := int64(1)
			if i == 0 && round > 0 {
				want = 2
			}
			require.Equal(t, want, n, "round %d, message %d", round, i)
			require.True(t, msgs[i].Ack())
		}
		receive(t, out, healTime) // and not settled
		require.NoError(t, s.Close())
	}
}

func TestFanOutOfPartitionsIsInOrder(t *testing.T) {
	t.Parallel()
	server, topic, seen := redistest.Start(t), newTopic(t), newInOrder()
	config := partitionedConfig(partitions)
	config.ConsumerGroup, config.Start = "", redisstream.StartOldest()
	publishTo(t, server, topic, 10, 30, 0)
	s := newSubscriber(t, server, config)
	handling := seen.consume(subscribe(t, s, topic))
	publishTo(t, server, topic, 10, 30, 10)
	eventually(t, healTime, func() bool { return seen.count() == 600 }, "all come")
	require.NoError(t, s.Close())
	handling.Wait()
	require.Empty(t, seen.bad)
	require.Len(t, seen.busy, partitions, "all partitions were seen")
}

func TestOtherNumberOfPartitionsIsRefused(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	require.NoError(t, newSubscriber(t, server, partitionedConfig(8)).SubscribeInitialize(topic))
	for _, group := range []string{"g", ""} {
		config := partitionedConfig(4)
		config.ConsumerGroup = group
		s := newSubscriber(t, server, config)
		_, err := s.Subscribe(t.Context(), topic)
		var other *redisstream.PartitionsError
		require.ErrorAs(t, err, &other)
		require.Equal(t, redisstream.PartitionsError{Topic: topic, Configured: 4, Recorded: 8}, *other)
		require.ErrorContains(t, err, "8")
		require.ErrorContains(t, err, "4")
	}
}

func TestTopicWithPartitionsIsNotSubscribedToWithout(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	require.NoError(t, newSubscriber(t, server, partitionedConfig(8)).SubscribeInitialize(topic))
	for _, group := range []string{"g", ""} {
		_, err := newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: group}).Subscribe(t.Context(), topic)
		var other *redisstream.PartitionsError
		require.ErrorAs(t, err, &other)
		require.Equal(t, 8, other.Recorded)
	}
	undivided := newTopic(t)
	publish(t, newPublisher(t, server.Client(t)), undivided, 1)
	_, err := newSubscriber(t, server, partitionedConfig(8)).Subscribe(t.Context(), undivided)
	require.ErrorContains(t, err, "SwitchPartitions", "what is there would be lost")
}

// Somebody else changed the number: nothing is handled any more, and nothing is lost.
func TestMemberStopsWhenTheNumberOfPartitionsIsAnother(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(2)
	config.LeaseTTL = time.Second
	out := subscribe(t, newSubscriber(t, server, config), topic)
	p := newPublisher(t, server.Client(t))
	stream := xstream.PartitionStream(topic, 1, 2)
	uuids := publish(t, p, stream, 1)
	require.Equal(t, uuids, receiveAndAck(t, out, 1, healTime))
	server.Do(t, "HSET", "{"+topic+"}:partitions", "n", "3")
	eventually(t, healTime, func() bool {
		owner, _ := server.Do(t, "HGET", "{"+stream+"}:lease:g", "owner").(string)
		return owner == ""
	}, "it is given up")
	publish(t, p, stream, 1)
	requireNone(t, out, 300*time.Millisecond)
	server.Do(t, "HSET", "{"+topic+"}:partitions", "n", "2")
	receiveAndAck(t, out, 1, healTime)
}

func TestMaxInFlightTotalBoundsAllPartitions(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(partitions)
	config.MaxInFlightTotal = 3
	out := subscribe(t, newSubscriber(t, server, config), topic)
	publishTo(t, server, topic, 2, 64, 0)
	var msgs []*message.Message
	inHand := map[int]bool{}
	for range 3 {
		msg := receive(t, out, healTime)
		p, _ := redisstream.PartitionFromContext(msg.Context())
		require.False(t, inHand[p], "one for each partition")
		inHand[p] = true
		msgs = append(msgs, msg)
	}
	requireNone(t, out, 100*time.Millisecond)
	require.True(t, msgs[0].Nack())
	msgs[0] = receive(t, out, healTime)
	requireNone(t, out, 100*time.Millisecond)
	for _, msg := range msgs {
		require.True(t, msg.Ack())
	}
	receiveAndAck(t, out, 125, healTime)
}

// A message that fails again and again holds up its own partition only.
func TestPartitionsDoNotHoldUpEachOther(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(partitions)
	config.MaxInFlightTotal = 1
	config.NackBackoff = func(int) time.Duration { return time.Minute }
	out := subscribe(t, newSubscriber(t, server, config), topic)
	publishTo(t, server, topic, 3, 64, 0)
	bad := receive(t, out, healTime)
	stuck, _ := redisstream.PartitionFromContext(bad.Context())
	require.True(t, bad.Nack())
	all := 0
	for i := range 64 {
		if redisstream.PartitionOf(fmt.Sprint("key-", i), partitions) != stuck {
			all += 3
		}
	}
	for range all {
		msg := receive(t, out, healTime)
		p, _ := redisstream.PartitionFromContext(msg.Context())
		require.NotEqual(t, stuck, p)
		require.True(t, msg.Ack())
	}
}

func TestMaxLeaseEndsTheContextAndKeepsThePlace(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(1)
	config.MaxLease = time.Second
	out := subscribe(t, newSubscriber(t, server, config), topic)
	uuids := publish(t, newPublisher(t, server.Client(t)), topic, 2)
	msg := receive(t, out, healTime)
	select {
	case <-msg.Context().Done():
		require.ErrorIs(t, context.Cause(msg.Context()), redisstream.ErrLeaseExpired)
	case <-time.After(healTime):
		require.Fail(t, "it goes on")
	}
	requireNone(t, out, 1500*time.Millisecond)
	require.True(t, msg.Ack())
	require.Equal(t, uuids[1:], receiveAndAck(t, out, 1, healTime))
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "the late ack counts")
}

func TestPartitionsOfATaggedTopicShareASlot(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	topic := "{tag}" + newTopic(t)
	config := partitionedConfig(4)
	out := subscribe(t, newSubscriber(t, server, config), topic)
	p := newPublisher(t, server.Client(t))
	for i := range 4 {
		uuids := publish(t, p, topic+":"+strconv.Itoa(i), 1)
		require.Equal(t, uuids, receiveAndAck(t, out, 1, healTime))
	}
	_, err := newSubscriber(t, server, config).Subscribe(t.Context(), "a}b")
	var bad *redisstream.ConfigError
	require.ErrorAs(t, err, &bad)
}

func TestCrashWithAFullBufferCountsFewTwice(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	publish(t, newPublisher(t, server.Client(t)), topic, 100)
	// As three owners would leave it that have died with all of it in their buffers.
	require.NoError(t, newSubscriber(t, server, partitionedConfig(1)).SubscribeInitialize(topic))
	server.Do(t, "XREADGROUP", "GROUP", "g", "p0", "COUNT", "100", "STREAMS", topic, ">")
	out := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	for range 100 {
		msg := receive(t, out, healTime)
		n, _ := redisstream.DeliveryCountFromContext(msg.Context())
		require.Equal(t, int64(2), n)
		require.True(t, msg.Ack())
	}
}

// With its dead letters out of order, a partition goes on.
func TestPartitionGoesOnWhenItsDeadLettersAreRefused(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	server.Do(t, "SET", "{"+topic+"}:dead:g", "not a stream")
	out := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	uuids := publish(t, newPublisher(t, server.Client(t)), topic, 3)
	bad := receive(t, out, healTime)
	_ = redisstream.Reject(bad.Context(), errBoom)
	require.True(t, bad.Nack())
	require.Equal(t, uuids[1:], receiveAndAck(t, out, 2, healTime))
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 1 }, "the others are acked")
	server.Do(t, "DEL", "{"+topic+"}:dead:g")
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "it is moved at last")
}

// A key holds up its own messages only, in its partition too, and a crash repeats them in order.
func TestKeysInAPartitionAreIndependent(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(1)
	config.MaxInFlight = 4
	out := subscribe(t, newSubscriber(t, server, config), topic)
	p := publisherWith(t, redisstream.PublisherConfig{Client: server.Client(t), Partitions: config.Partitions, PartitionKey: config.PartitionKey})
	for i := range 40 {
		msg := message.NewMessage(strconv.Itoa(i), nil)
		msg.Metadata.Set("key", []string{"slow", "b", "c", "d"}[i%4])
		require.NoError(t, p.Publish(topic, msg))
	}
	slow := receive(t, out, healTime)
	key, ok := redisstream.PartitionKeyFromContext(slow.Context())
	require.True(t, ok)
	require.Equal(t, "slow", key)
	next := map[string]int{"b": 1, "c": 2, "d": 3}
	for range 30 {
		msg := receive(t, out, healTime)
		key := msg.Metadata.Get("key")
		require.Equal(t, strconv.Itoa(next[key]), msg.UUID)
		next[key] += 4
		require.True(t, msg.Ack())
	}
	requireNone(t, out, 50*time.Millisecond)
	require.True(t, slow.Ack())
	for i := 4; i < 40; i += 4 {
		msg := receive(t, out, healTime)
		require.Equal(t, strconv.Itoa(i), msg.UUID)
		require.True(t, msg.Ack())
	}
	eventually(t, healTime, func() bool { return pendingCount(t, server, topic, "g") == 0 }, "all is acked")
}

// What is put back lies below what is acked meanwhile, and is no sign of lost acks.
func TestRequeueDisturbsNobody(t *testing.T) {
	t.Parallel()
	server, topic, log := redistest.Start(t), newTopic(t), newLog(t)
	config := partitionedConfig(1)
	config.Client, config.LeaseTTL = server.Client(t), time.Second
	s, err := redisstream.NewSubscriber(config, log)
	require.NoError(t, err)
	out := subscribe(t, s, topic)
	p := newPublisher(t, server.Client(t))
	publish(t, p, topic, 40)
	for range 40 {
		msg := receive(t, out, healTime)
		_ = redisstream.Reject(msg.Context(), errBoom)
		require.True(t, msg.Nack())
	}
	dead, err := s.PartitionDeadLetters(topic, 0)
	require.NoError(t, err)
	var letters []redisstream.DeadLetter
	eventually(t, healTime, func() bool {
		letters, err = dead.List(t.Context(), "", 100)
		return err == nil && len(letters) == 40
	}, "all are there")
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				_ = p.Publish(topic, message.NewMessage(fmt.Sprint("other ", n), nil))
			}
		}
	})
	requeueing := make(chan error, 1)
	go func() {
		for _, letter := range letters {
			if _, err := dead.Requeue(context.Background(), letter.ID); err != nil {
				requeueing <- err
				return
			}
			time.Sleep(60 * time.Millisecond) // so that they are found at different times
		}
		requeueing <- nil
	}()
	for again := 0; again < 40; {
		msg := receive(t, out, healTime)
		if !strings.HasPrefix(msg.UUID, "other") {
			again++
		}
		require.True(t, msg.Ack())
	}
	close(stop)
	require.NoError(t, <-requeueing)
	publishing.Wait()
	go func() {
		for msg := range out {
			msg.Ack()
		}
	}()
	require.NoError(t, s.Close())
	require.False(t, log.contains("Lost a partition"))
}

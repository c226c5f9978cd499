package redisstream_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestPartitionGoesOnWhenWhatWasRejectedIsTrimmed(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	out := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	p := newPublisher(t, server.Client(t))
	require.NoError(t, p.Publish(topic, message.NewMessage("big", make([]byte, 100<<10))))
	big := receive(t, out, healTime)
	id, _ := redisstream.EntryIDFromContext(big.Context())
	uuids := publish(t, p, topic, 1)
	server.Do(t, "XDEL", topic, id)
	_ = redisstream.Reject(big.Context(), errBoom)
	require.True(t, big.Nack())
	require.Equal(t, uuids, receiveAndAck(t, out, 1, 20*time.Second))
}

func TestPartitionGoesOnWhenWhatFailedIsTrimmed(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	out := subscribe(t, newSubscriber(t, server, partitionedConfig(1)), topic)
	p := newPublisher(t, server.Client(t))
	require.NoError(t, p.Publish(topic, message.NewMessage("big", make([]byte, 100<<10))))
	big := receive(t, out, healTime)
	id, _ := redisstream.EntryIDFromContext(big.Context())
	uuids := publish(t, p, topic, 3)
	server.Do(t, "XDEL", topic, id)
	require.True(t, big.Nack())
	require.Equal(t, uuids, receiveAndAck(t, out, 3, 20*time.Second))
	requireNone(t, out, 3*time.Second)
	require.Zero(t, pendingCount(t, server, topic, "g"))
}

func TestMemberWithoutConnectionsLeavesPartitionsToOthers(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(8)
	config.LeaseTTL = time.Second
	config.BlockingPoolSize = 11 // 3: the membership, and two partitions
	a := subscribe(t, newSubscriber(t, server, config), topic)
	config.BlockingPoolSize = 0
	b := subscribe(t, newSubscriber(t, server, config), topic)
	seen := newInOrder()
	seen.consume(a)
	seen.consume(b)
	publishTo(t, server, topic, 1, 64, 0)
	eventually(t, 20*time.Second, func() bool { return seen.count() == 64 }, "the other one has room for all")
}

func TestNoDeliveryBeyondMaxDeliveries(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	config := partitionedConfig(1)
	config.MaxDeliveries = 3
	require.NoError(t, newSubscriber(t, server, config).SubscribeInitialize(topic))
	publish(t, newPublisher(t, server.Client(t)), topic, 60)
	server.Do(t, "XREADGROUP", "GROUP", "g", "p0", "COUNT", "100", "STREAMS", topic, ">")
	rows := server.Do(t, "XPENDING", topic, "g", "-", "+", "100").([]any)
	for i, row := range rows {
		if i >= 20 {
			server.Do(t, "XCLAIM", topic, "g", "p0", "0", row.([]any)[0].(string), "RETRYCOUNT", "5", "JUSTID")
		}
	}
	s := newSubscriber(t, server, config)
	out := subscribe(t, s, topic)
	for range 20 {
		msg := receive(t, out, healTime)
		n, _ := redisstream.DeliveryCountFromContext(msg.Context())
		require.Equal(t, int64(2), n)
		require.True(t, msg.Ack())
	}
	dead, err := s.PartitionDeadLetters(topic, 0)
	require.NoError(t, err)
	eventually(t, healTime, func() bool {
		n, err := dead.Len(t.Context())
		return err == nil && n == 40
	}, "the others have failed too often")
	requireNone(t, out, 50*time.Millisecond)
}

func TestManyPartitionsOverASlowLine(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	proxy := redistest.NewProxy(t, server.Addr())
	proxy.Delay(10 * time.Millisecond)
	config := partitionedConfig(1024)
	config.Client, config.BlockingPoolSize = server.Client(t, through(proxy)), 2000
	s := newSubscriber(t, server, config)
	began := time.Now()
	_, err := s.Subscribe(t.Context(), topic)
	t.Log(time.Since(began), err)
	require.NoError(t, err)
}

func TestRequeuedMessageWhoseAdoptionGotNoAnswerComes(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	proxy := redistest.NewProxy(t, server.Addr())
	config := partitionedConfig(1)
	config.Client = server.Client(t, through(proxy))
	s := newSubscriber(t, server, config)
	out := subscribe(t, s, topic)
	publish(t, newPublisher(t, server.Client(t)), topic, 1)
	bad := receive(t, out, healTime)
	_ = redisstream.Reject(bad.Context(), errBoom)
	require.True(t, bad.Nack())
	plain := partitionedConfig(1)
	plain.Client = server.Client(t)
	other, err := redisstream.NewSubscriber(plain, nil)
	require.NoError(t, err)
	dead, err := other.PartitionDeadLetters(topic, 0)
	require.NoError(t, err)
	var letters []redisstream.DeadLetter
	eventually(t, healTime, func() bool { letters, err = dead.List(t.Context(), "", 10); return err == nil && len(letters) == 1 }, "buried")
	time.Sleep(300 * time.Millisecond)
	// cut every connection as soon as the entry is adopted: its answer is on its way for 250 ms
	proxy.Delay(150 * time.Millisecond)
	time.Sleep(time.Second)
	_, err = dead.Requeue(t.Context(), letters[0].ID)
	require.NoError(t, err)
	for {
		names := consumers(t, server, topic, "g")
		if len(names) == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	proxy.Cut()
	proxy.Delay(0)
	select {
	case msg := <-out:
		require.Equal(t, bad.UUID, msg.UUID)
		msg.Ack()
	case <-time.After(15 * time.Second):
		t.Fatal("stuck; pending: ", pendingCount(t, server, topic, "g"))
	}
}

func TestSubscribeToPartitionsNeedsTheRights(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"zadd", "xpending", "xclaim", "hset"} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			server, topic := redistest.Start(t), newTopic(t)
			server.Do(t, "ACL", "SETUSER", "u", "on", ">p", "~*", "&*", "+@all", "-"+missing)
			config := partitionedConfig(1)
			config.Client = server.Client(t, func(o *rueidis.ClientOption) { o.Username, o.Password = "u", "p" })
			s, err := redisstream.NewSubscriber(config, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			_, err = s.Subscribe(t.Context(), topic)
			require.Error(t, err)
		})
	}
}

func TestEndOfPartitionsIsInTimeOnAFrozenServer(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	proxy := redistest.NewProxy(t, server.Addr())
	config := partitionedConfig(2)
	config.Client, config.CloseTimeout, config.LeaseTTL = server.Client(t, through(proxy)), 500*time.Millisecond, 15*time.Second
	s, err := redisstream.NewSubscriber(config, newLog(t))
	require.NoError(t, err)
	subscribe(t, s, topic)
	eventually(t, healTime, func() bool { o, _ := server.Do(t, "HGET", "{"+topic+":0}:lease:g", "owner").(string); return o != "" }, "granted")
	time.Sleep(time.Second)
	proxy.Block()
	time.Sleep(5100 * time.Millisecond) // a beat is due every 5 s
	began := time.Now()
	require.NoError(t, s.Close())
	t.Log("Close took", time.Since(began))
	require.Less(t, time.Since(began), config.CloseTimeout+3*time.Second)
}
